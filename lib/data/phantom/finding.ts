import type { Anatomy } from './anatomy.js';
import type { Scene } from './scene.js';

/** What a finding does to a film. */
export interface Finding {
  /** Changes the build of the chest before anything is drawn. */
  readonly anatomy?: (usual: Anatomy) => Anatomy;
  /** Changes the soft tissues, before vessels and bones are drawn, and marks where the finding is. */
  readonly apply: (scene: Scene) => void;
}
