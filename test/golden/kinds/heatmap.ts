import { renderHeatmaps } from '../../../lib/gaze/heatmap.js';
import { boolean, choice, number } from '../case.js';
import type { Kind } from '../kind.js';
import { filled } from '../recipe.js';

/** A heat map from its points, in either layout; the branch only explains the case's σ. */
export const heatmapKind: Kind = {
  config: ['layout', 'height', 'width', 'sigma', 'anchors', 'branch'],
  inputs: ['x', 'y'],
  run: async ({ config, inputs }) => {
    const [height, width] = [number('height', config.height), number('width', config.width)];
    const x = filled('x', inputs.x).data;
    const y = filled('y', inputs.y).data;
    const points = { width, height, x, y, weight: new Float64Array(x.length).fill(1) };
    const [map] = await renderHeatmaps([points], {
      ...{ height, width, sigma: number('sigma', config.sigma), sigmaUnit: 'pixel', normalise: 'none' },
      layout: choice('layout', config.layout, ['image', 'original']),
      anchors: boolean('anchors', config.anchors),
    });
    const heatmap = { shape: [height, width], data: map as Float32Array };
    // The filter keeps the sum: reflected borders lose nothing.
    const total = heatmap.data.reduce((sum, value) => sum + value, 0);
    return { histogram_total: total, heatmap };
  },
};
