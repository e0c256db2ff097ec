import t from 'tap';
import { phantomClasses, phantomShares } from '../../../lib/data/phantom/findings.js';
import { type Phantom, phantom } from '../../../lib/data/phantom/phantom.js';

/** Grey values at 16 places of one film of each class at 96 pixels, seed 20, index 5 + label; box; second fixation. */
const golden: { label: number; box: number[] | null; first: number[]; grey: number[] }[] = [
  {
    label: 0,
    box: null,
    first: [43.86, 24.91],
    grey: [7, 174, 178, 10, 165, 79, 68, 158, 150, 76, 198, 142, 166, 225, 223, 160],
  },
  {
    label: 1,
    box: [18, 35, 24, 32],
    first: [28.3, 52.63],
    grey: [53, 72, 75, 50, 150, 96, 84, 138, 140, 97, 207, 148, 160, 224, 221, 161],
  },
  {
    label: 2,
    box: [12, 59, 26, 23],
    first: [28.01, 71.91],
    grey: [86, 185, 94, 136, 174, 81, 58, 154, 221, 89, 202, 167, 217, 223, 223, 206],
  },
  {
    label: 3,
    box: [25, 28, 10, 11],
    first: [65.83, 20.16],
    grey: [9, 74, 69, 9, 120, 62, 64, 123, 125, 64, 184, 110, 148, 210, 213, 138],
  },
  {
    label: 4,
    box: [55, 8, 29, 77],
    first: [73.63, 38.84],
    grey: [9, 75, 10, 8, 119, 51, 83, 132, 120, 45, 203, 132, 148, 218, 219, 153],
  },
  {
    label: 5,
    box: [56, 12, 23, 33],
    first: [63.56, 19.89],
    grey: [0, 90, 167, 18, 162, 67, 132, 153, 134, 85, 208, 150, 169, 225, 223, 166],
  },
  {
    label: 6,
    box: [35, 46, 43, 34],
    first: [66.62, 60.01],
    grey: [7, 164, 158, 8, 149, 64, 67, 150, 138, 189, 204, 128, 162, 222, 222, 147],
  },
  {
    label: 7,
    box: [19, 73, 57, 8],
    first: [36.14, 74.62],
    grey: [159, 165, 173, 166, 137, 67, 118, 147, 139, 95, 212, 152, 175, 223, 223, 168],
  },
  {
    label: 8,
    box: [41, 62, 15, 12],
    first: [65.33, 19.0],
    grey: [162, 155, 161, 149, 150, 70, 93, 138, 143, 95, 197, 135, 190, 214, 212, 154],
  },
];

const byName = (name: string) => phantomClasses.indexOf(name);
const labels = phantomClasses.map((_, label) => label);
const films = (label: number, count: number, size = 96): Phantom[] =>
  Array.from({ length: count }, (_, i) => phantom({ seed: 3, index: 40 * label + 3 * i, label, size }));

t.test('films, boxes and scanpaths are those that were stored', async (t) => {
  for (const { label, box, first, grey } of golden) {
    const made = phantom({ seed: 20, index: 5 + label, label, size: 96 });
    const name = phantomClasses[label] as string;
    let i = 0;
    for (let y = 12; y < 96; y += 24) {
      for (let x = 12; x < 96; x += 24) {
        // Engines may differ in the last bits of sin and exp, which can turn a rounding.
        const difference = Math.abs((made.pixels.data[y * 96 + x] as number) - (grey[i++] as number));
        t.ok(difference <= 2, `${name}: grey at ${x}, ${y}`);
      }
    }
    const found = made.box && [made.box.x, made.box.y, made.box.width, made.box.height];
    if (box === null || found === null) t.equal(found, box);
    else
      box.forEach((side, k) => {
        t.ok(Math.abs(side - (found[k] as number)) <= 1, `${name}: box`);
      });
    t.ok(Math.abs((made.fixations[1]?.x ?? 0) - (first[0] as number)) < 0.1, `${name}: second fixation`);
    t.ok(Math.abs((made.fixations[1]?.y ?? 0) - (first[1] as number)) < 0.1);
  }
});

t.test('a phantom depends on its options alone', async (t) => {
  const alone = phantom({ seed: 9, index: 17, size: 64 });
  for (const index of [16, 3, 17, 500]) phantom({ seed: 9, index, size: 64 });
  t.strictSame(phantom({ seed: 9, index: 17, size: 64 }), alone);
  t.notSame(phantom({ seed: 10, index: 17, size: 64 }).pixels.data, alone.pixels.data);
  t.notSame(phantom({ seed: 9, index: 18, size: 64 }).pixels.data, alone.pixels.data);
  t.same(phantom({ index: 0, size: 64 }).id, 'phantom-1-00000000', 'seed 1 by default');
  t.equal(phantom({ index: 0 }).pixels.width, 128, '128 pixels by default');
});

t.test('sizes show the same chest', async (t) => {
  const small = phantom({ seed: 4, index: 2, label: byName('Effusion'), size: 64 });
  const large = phantom({ seed: 4, index: 2, label: byName('Effusion'), size: 256 });
  let apart = 0;
  for (let y = 0; y < 64; y++) {
    for (let x = 0; x < 64; x++) {
      let sum = 0;
      for (let dy = 0; dy < 4; dy++) {
        for (let dx = 0; dx < 4; dx++) sum += large.pixels.data[(4 * y + dy) * 256 + 4 * x + dx] as number;
      }
      apart += Math.abs(sum / 16 - (small.pixels.data[y * 64 + x] as number)) / (64 * 64);
    }
  }
  t.ok(apart < 6, `mean difference of ${apart.toFixed(2)} grey values`);
  const edges = (p: Phantom) => {
    const box = p.box ?? { x: 0, y: 0, width: 0, height: 0 };
    return [box.x, box.y, box.x + box.width, box.y + box.height].map((edge) => edge / p.pixels.width);
  };
  edges(small).forEach((edge, i) => {
    t.ok(Math.abs(edge - (edges(large)[i] as number)) < 0.04, 'box at the same place');
  });
  for (const size of [64, 1024]) t.equal(phantom({ index: 0, size }).pixels.data.length, size * size);
});

t.test('masks and boxes fit the film', async (t) => {
  for (const label of labels) {
    for (const made of films(label, 6)) {
      const { size, lung, holes } = measure(made);
      t.ok(lung > 0.18 && lung < 0.42, `${made.id}: lungs cover ${lung.toFixed(2)} of the film`);
      t.equal(holes, 0, 'masks hold 0 and 255 only');
      t.equal(made.finding, phantomClasses[label]);
      if (label === 0) {
        t.equal(made.box, null);
        t.ok(made.findingMask.every((value) => value === 0));
        continue;
      }
      const box = made.box;
      if (!box) {
        t.fail(`${made.id} (${made.finding}) has no box`);
        continue;
      }
      t.ok(box.x >= 0 && box.y >= 0 && box.x + box.width <= size && box.y + box.height <= size);
      t.ok(box.width * box.height < 0.35 * size * size, 'a box is no more than a third of the film');
      t.ok(box.width >= 5 && box.height >= 2, `${made.id} (${made.finding}): ${box.width} x ${box.height}`);
      t.ok(touches(made), 'each side of the box touches the finding, and nothing lies outside');
    }
  }
});

function measure({ pixels, lungMask, findingMask }: Phantom) {
  const size = pixels.width;
  const count = (mask: Uint8Array, keep: (value: number) => boolean) => mask.filter(keep).length;
  const odd = (value: number) => value !== 0 && value !== 255;
  return {
    size,
    lung: count(lungMask, (value) => value === 255) / size ** 2,
    holes: count(lungMask, odd) + count(findingMask, odd),
  };
}

function touches({ pixels, findingMask, box }: Phantom): boolean {
  if (!box) return false;
  const size = pixels.width;
  const rows = new Set<number>();
  const columns = new Set<number>();
  findingMask.forEach((value, i) => {
    if (value === 0) return;
    rows.add(Math.floor(i / size));
    columns.add(i % size);
  });
  return (
    Math.min(...rows) === box.y &&
    Math.max(...rows) === box.y + box.height - 1 &&
    Math.min(...columns) === box.x &&
    Math.max(...columns) === box.x + box.width - 1
  );
}

/** Mean change that a finding makes to the same patient's film, within its mask and far from its box. */
function change(label: number, index: number) {
  const size = 96;
  const usual = phantom({ seed: 5, index, label: 0, size });
  const made = phantom({ seed: 5, index, label, size });
  const { x, y, width, height } = made.box ?? { x: 0, y: 0, width: 0, height: 0 };
  let [inside, area, far] = [0, 0, 0];
  for (let i = 0; i < size * size; i++) {
    const difference = (made.pixels.data[i] as number) - (usual.pixels.data[i] as number);
    const column = i % size;
    const row = Math.floor(i / size);
    if (made.findingMask[i]) {
      inside += difference;
      area++;
    } else if (column < x - 5 || column > x + width + 5 || row < y - 5 || row > y + height + 5) {
      far = Math.max(far, Math.abs(difference));
    }
  }
  return { mean: inside / area, far, area: area / size ** 2 };
}

t.test('a finding changes the film where its box is, as X-rays would show it', async (t) => {
  const brighter = ['Infiltration', 'Effusion', 'Mass', 'Consolidation'];
  const darker = ['Pneumothorax', 'Pneumoperitoneum'];
  for (const name of [...brighter, ...darker]) {
    for (const index of [0, 1, 2, 3]) {
      const { mean, far } = change(byName(name), index);
      const sign = brighter.includes(name) ? 1 : -1;
      t.ok(mean * sign > 12, `${name}: ${mean.toFixed(1)} grey values within`);
      // The collapsed lung of a pneumothorax is denser as a whole, and fluid lies before the heart and the dome too.
      if (name !== 'Pneumothorax' && name !== 'Effusion') t.ok(far <= 12, `${name}: at most ${far} far away`);
    }
  }
});

t.test('findings lie where they belong', async (t) => {
  const size = 96;
  for (const index of [0, 7, 14, 21, 28]) {
    const make = (name: string) => phantom({ seed: 6, index, label: byName(name), size });
    const usual = phantom({ seed: 6, index, label: 0, size });
    const lungs = extent(usual.lungMask, size);
    const middle = (lungs.left + lungs.right) / 2;
    const box = (name: string) => make(name).box as NonNullable<Phantom['box']>;

    const fluid = box('Effusion');
    t.ok(fluid.y + fluid.height >= lungs.bottom - 8, 'effusion reaches the costophrenic angle');
    const air = box('Pneumothorax');
    t.ok(air.y <= lungs.top + 6, 'pneumothorax begins at the apex');
    const free = box('Pneumoperitoneum');
    t.ok(free.x < middle && free.y > size * 0.55, 'free air under the right dome');
    const stomach = box('Hernia');
    t.ok(Math.abs(stomach.x + stomach.width / 2 - middle) < size * 0.12, 'hernia behind the heart');
    t.ok(stomach.y > size * 0.4);
    const heart = box('Cardiomegaly');
    t.ok(heart.width > 0.5 * (lungs.right - lungs.left), 'a heart of more than half the chest');
    t.ok(heart.x + heart.width / 2 > middle, 'on the left');
    const tumour = make('Mass');
    const within = tumour.findingMask.filter((value, i) => value > 0 && usual.lungMask[i] === 255).length;
    const whole = tumour.findingMask.filter((value) => value > 0).length;
    t.ok(within / whole > 0.6, 'a mass lies in a lung');
  }
});

function extent(mask: Uint8Array, size: number) {
  const at = [...mask.keys()].filter((i) => (mask[i] as number) > 0);
  const rows = at.map((i) => Math.floor(i / size));
  const columns = at.map((i) => i % size);
  return {
    left: Math.min(...columns),
    right: Math.max(...columns),
    top: Math.min(...rows),
    bottom: Math.max(...rows),
  };
}

t.test('a film looks like a chest: dark lungs, bright middle and belly, black corners of air', async (t) => {
  for (const made of films(0, 12)) {
    const size = made.pixels.width;
    const mean = (from: [number, number], to: [number, number]) => {
      let [sum, count] = [0, 0];
      for (let y = Math.floor(from[1] * size); y < to[1] * size; y++) {
        for (let x = Math.floor(from[0] * size); x < to[0] * size; x++, count++) {
          sum += made.pixels.data[y * size + x] as number;
        }
      }
      return sum / count;
    };
    const right = mean([0.26, 0.35], [0.36, 0.6]);
    const left = mean([0.68, 0.3], [0.76, 0.5]);
    const middle = mean([0.47, 0.4], [0.53, 0.7]);
    const belly = mean([0.3, 0.88], [0.7, 0.96]);
    t.ok(middle - right > 60 && middle - left > 60, 'mediastinum against lungs');
    t.ok(belly - right > 80, 'belly against lung');
    t.ok(mean([0.1, 0], [0.2, 0.05]) < 25, 'air above the shoulder');
    t.ok(right > 15 && belly < 250, 'neither black nor burnt out');
  }
});

t.test('labels are drawn long-tailed', async (t) => {
  t.ok(Math.abs(phantomShares.reduce((sum, share) => sum + share, 0) - 1) < 1e-12);
  t.same(
    [...phantomShares].sort((a, b) => b - a),
    phantomShares,
    'class order is by falling share',
  );
  t.equal(phantomClasses[0], 'No Finding');
  t.throws(() => (phantomClasses as string[]).push('Other'), 'the list cannot be changed');
  const seen = labels.map(() => 0);
  for (let index = 0; index < 200; index++) {
    const { label } = phantom({ seed: 2, index, size: 64 });
    seen[label] = (seen[label] as number) + 1;
  }
  seen.forEach((count, label) => {
    const expected = 200 * (phantomShares[label] as number);
    t.ok(Math.abs(count - expected) < 4 * Math.sqrt(expected) + 1, `${phantomClasses[label]}: ${count}`);
  });
});

t.test('wrong options', async (t) => {
  const refuse = (options: object, message: RegExp) =>
    t.throws(() => phantom(options as { index: number }), { code: 'ERR_INVALID_ARGUMENT', message });
  refuse({ index: -1 }, /options.index/);
  refuse({}, /options.index/);
  refuse({ index: 0, size: 63 }, /at least 64.*options.size/);
  refuse({ index: 0, size: 1025 }, /options.size/);
  refuse({ index: 0, size: 128.5 }, /options.size/);
  refuse({ index: 0, seed: -1 }, /options.seed/);
  refuse({ index: 0, seed: Number.NaN }, /options.seed/);
  refuse({ index: 0, label: phantomClasses.length }, /options.label/);
  refuse({ index: 0, lable: 1 }, /did you mean 'label'/);
});
