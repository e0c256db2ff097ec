import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openTensorFile } from '../../../../lib/checkpoints/open.js';
import { readTensor } from '../../../../lib/checkpoints/read-tensors.js';
import { tidy } from '../../../../lib/tensor/tidy.js';
import { choice, string } from '../../case.js';
import type { Kind } from '../../kind.js';
import { actual } from '../../tensors.js';

/** A whole module as `torch.save` writes it, read without executing anything. */
export const modulePickleKind: Kind = {
  config: ['class', 'weights'],
  inputs: ['file'],
  run: async ({ config, inputs }) => {
    choice('weights', config.weights, ['load_filled']);
    const folder = mkdtempSync(path.join(tmpdir(), 'cxr-gaze-golden-'));
    try {
      const file = path.join(folder, 'module.pt');
      writeFileSync(file, inputs.file as Uint8Array);
      const { tensors, moduleClass } = await openTensorFile(file);
      if (moduleClass !== string('class', config.class)) throw new Error(`the class is ${moduleClass}`);
      return await tidy(async () => {
        const outputs: Record<string, unknown> = {
          keys: { list: [...tensors.values()].map(({ name, shape, dtype }) => [name, shape, dtype]) },
        };
        for (const [name, record] of tensors) outputs[`state:${name}`] = await actual(readTensor(record));
        return outputs;
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};
