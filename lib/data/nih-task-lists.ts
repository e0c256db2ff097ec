import { createHash } from 'node:crypto';
import { type NihTask, nihTaskNames, type TaskLists, type TaskSplit, taskSplits } from './nih-tasks.js';

/**
 * SHA-256 of each list of names that NIH's own table gives with seed 42: names joined by line feeds, in list order. The
 * disease side is the published one, the No Finding side is ours (loc-attention, section 2.2).
 */
const hashes: Readonly<Record<NihTask, Readonly<Record<string, Readonly<Record<TaskSplit, string>>>>>> = {
  ne: {
    'No Finding': {
      train: '31474797c11e23d0af184c08d67a4ad3c4d5bb9ca140550e13b3797d5abf39ef',
      val: 'a6fbfb6758d1d5916f43a5ccf569b41bbceb6f993c2ad06981bdb51cbdcd3a9a',
      test: '166426cb8e98bf8115d19204260befd23c69d6d18e4b8192da8f4f5a678c53e3',
    },
    Effusion: {
      train: '019fb41d25d98bac36c7f248c3d18c754dec0fa4ac8256525800462b7f3632db',
      val: '396e55e86f5bb583353e1be37f7f27f93466da8d9e5839de7a7f8a91eb104d70',
      test: '9bceb49d73daa54c6f914b5b51d71a35d9256ef8d7969788df0418f9809ea1b5',
    },
  },
  np: {
    'No Finding': {
      train: 'b969c8eb347361ec2f781ac4422a07a19511a0ba1dd98c2767fd9bef4b8bf543',
      val: 'd4464d4018bd586700dedb0d0455cf451f6c4714effd59ae874411cc2c2f883f',
      test: 'c7a4c24adb02e3ddffa653a3d52e2927fb7919572b688044a34326d598d318f3',
    },
    Pneumothorax: {
      train: '9e16f3ed46c7d0777169a6d440e4ac53b186d935f20113cec256ee0070dc0be9',
      val: '3228cc30b836bbca513bb30df5104cc9b04dd4d17ccd403cfe1025fd93488aac',
      test: '31bfa0cd9af5f7c4fb7de114e9f5838df8b5ae99356d2683f646ec620d24d6bd',
    },
  },
  nep: {
    'No Finding': {
      train: 'b147a888651076e82b507ceade7c18f96aa6bf32751782a11207916bf8635ba6',
      val: 'f90ee028f0b7ad823297168b79460b31b3f6a9505d274c2a8cff639dd016733e',
      test: '0024786bbb0b56d7f2daf4f10fbbf3c6f8adbbb78b0a7c0fb529eb60a4482d2c',
    },
    Effusion: {
      train: '8f390a40c086f0f93aed14ef923910bc5ee32c488607447fcbf85668f852a8e2',
      val: '7365a92f9df6d7af08fc7d7208ccfa5b7077835d14b31295f891e120f757249f',
      test: '24d657d2daa9639582fbc6ea2f358a9c620c50d830462e38770387f1489afeda',
    },
    Pneumothorax: {
      train: '9e16f3ed46c7d0777169a6d440e4ac53b186d935f20113cec256ee0070dc0be9',
      val: '3228cc30b836bbca513bb30df5104cc9b04dd4d17ccd403cfe1025fd93488aac',
      test: '31bfa0cd9af5f7c4fb7de114e9f5838df8b5ae99356d2683f646ec620d24d6bd',
    },
  },
  cardiomegaly: {
    'No Finding': {
      train: 'd2b246d32ff73edf2a33ea336dd0e86fa56adfe1ec29daada669809dca5d6683',
      val: '2c29dff7496ef7c15041edb9fe7f90de0fb2a63ac18ba59458184ed39e6a1610',
      test: '005ceb1009e23c0415fdd26e3f0b17b3219c000ec57d7c352049f9980f4b99c7',
    },
    Cardiomegaly: {
      train: 'e97fbae333e389cd7377b9e8257cbf517e3fade941ef0c23eb11cd09a3ae6808',
      val: '8caf06c279b2e9d05a2581dab439b0b675dea17fdc12fde95df945eace273598',
      test: 'b4b8e6a26e4206f885e550d278b7488a168042967aaf225432193c56b54c80eb',
    },
  },
};

/** SHA-256 of the names of a list joined by line feeds. */
export function listHash(names: readonly string[]): string {
  return createHash('sha256').update(names.join('\n')).digest('hex');
}

/**
 * Compares the lists of a task with those that NIH's own table gives.
 *
 * @returns the lists that differ, such as `train Effusion`; empty where all are the same
 */
export function differingLists(task: NihTask, lists: TaskLists): string[] {
  return taskSplits.flatMap((split) =>
    nihTaskNames[task].findings.flatMap((finding, label) => {
      const names = lists[split][label] as readonly string[];
      return listHash(names) === hashes[task][finding]?.[split] ? [] : [`${split} ${finding}`];
    }),
  );
}
