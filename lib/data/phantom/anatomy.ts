import { Draw } from './draw.js';

/** The patient's own side: `right` is on the left of the film. */
export type Side = 'right' | 'left';

/** Both sides, in the order of the film from left to right. */
export const sides: readonly Side[] = ['right', 'left'];

/**
 * The build of one patient's chest, in film widths. Distances across are from the midline and positive on both
 * sides; heights run down from the upper edge of the film.
 */
export interface Anatomy {
  /** -1 slim to 1 heavy: the thickness and brightness of the soft tissues. */
  readonly habitus: number;
  /** Whether breast shadows overlie the lower lungs. */
  readonly breasts: boolean;
  /** Half the width of the torso below the armpits. */
  readonly torso: number;
  /** Height of the shoulders' line at its outer end. */
  readonly shoulder: number;
  /** Height of the lung apices. */
  readonly apex: number;
  /** Greatest distance of the lungs' outer border from the midline, by side. */
  readonly lungWidth: Readonly<Record<Side, number>>;
  /** Height of the diaphragm's domes, by side. */
  readonly dome: Readonly<Record<Side, number>>;
  /** How far the costophrenic angle lies below its dome. */
  readonly recess: number;
  /** Transverse diameter of the heart over that of the chest; about 0.45 in health. */
  readonly cardiothoracicRatio: number;
  /** Turn of the heart's long axis from the vertical, in radians. */
  readonly heartTilt: number;
  /** Radius of the aortic knob. */
  readonly knob: number;
  /** Half the width of the upper mediastinum. */
  readonly pedicle: number;
  /** Sideways bow of the spine, film widths at mid-height. */
  readonly scoliosis: number;
  /** Distance from one rib to the next along the spine. */
  readonly ribStep: number;
  /** How far the ribs fall from the spine to the side. */
  readonly ribDrop: number;
  /** Brightness of the bones; 1 is usual. */
  readonly boneDensity: number;
  /** Strength of the lung vessels; 1 is usual. */
  readonly vascularity: number;
  /** Radius of the stomach bubble, 0 where none is seen. */
  readonly stomach: number;
}

/** How one film was taken: differs between films of a patient. */
export interface View {
  /** Enlargement; 1 is usual. */
  readonly zoom: number;
  /** Shift to the right, film widths. */
  readonly shiftX: number;
  /** Shift down, film widths. */
  readonly shiftY: number;
  /** Clockwise tilt in radians. */
  readonly tilt: number;
  /** Turn of the patient to one side: the midline's shift against the ribs, film widths. */
  readonly rotation: number;
  /** How deep the breath was, as a shift of the domes, film widths; positive is deeper. */
  readonly inspiration: number;
  /** Contrast of the film; 1 is usual. */
  readonly contrast: number;
  /** Added brightness, 0 to 1 being black to white. */
  readonly brightness: number;
  /** Standard deviation of the quantum noise, 0 to 1 being black to white. */
  readonly noise: number;
}

/**
 * @param seed of the set
 * @param patient number of the patient
 * @returns that patient's build, the same for all films
 */
export function patientAnatomy(seed: number, patient: number): Anatomy {
  const draw = new Draw(seed, 'patient', patient);
  const habitus = draw.uniform(-1, 1);
  const width = draw.normal(0.342, 0.014);
  const dome = draw.normal(0.745, 0.02);
  return {
    habitus,
    breasts: draw.chance(0.45),
    torso: 0.435 + 0.045 * habitus + draw.normal(0, 0.012),
    shoulder: draw.normal(0.13, 0.02),
    apex: draw.normal(0.105, 0.012),
    lungWidth: { right: width + draw.normal(0.004, 0.006), left: width + draw.normal(0, 0.006) },
    dome: { right: dome, left: dome + draw.normal(0.022, 0.007) },
    recess: draw.normal(0.115, 0.012),
    cardiothoracicRatio: draw.normal(0.445, 0.02) + 0.015 * habitus,
    heartTilt: draw.normal(0.8, 0.08),
    knob: draw.normal(0.04, 0.005),
    pedicle: draw.normal(0.057, 0.005),
    scoliosis: draw.normal(0, 0.007),
    ribStep: draw.normal(0.0665, 0.0025),
    ribDrop: draw.normal(0.115, 0.018),
    boneDensity: draw.normal(1, 0.15),
    vascularity: draw.normal(1, 0.14),
    stomach: draw.chance(0.6) ? draw.uniform(0.025, 0.055) : 0,
  };
}

/**
 * @param seed of the set
 * @param index of the film
 * @returns position and exposure of that film
 */
export function filmView(seed: number, index: number): View {
  const draw = new Draw(seed, 'view', index);
  return {
    zoom: draw.normal(1, 0.025),
    shiftX: draw.normal(0, 0.01),
    shiftY: draw.normal(0.012, 0.012),
    tilt: draw.normal(0, 0.022),
    rotation: draw.normal(0, 0.007),
    inspiration: draw.normal(0, 0.012),
    contrast: draw.normal(1, 0.07),
    brightness: draw.normal(0, 0.022),
    noise: draw.uniform(0.008, 0.018),
  };
}
