import type { LabelTableFormat } from './label-table-format.js';

/**
 * NIH-CXR-LT's classes by decreasing training frequency: label = index (Holste et al., "Long-Tailed
 * Classification of Thorax Diseases on Chest X-Ray", DALI 2022; `VITA-Group/LongTailCXR`).
 */
export const NIH_CXR_LT_CLASSES = [
  'No Finding',
  'Infiltration',
  'Atelectasis',
  'Effusion',
  'Nodule',
  'Mass',
  'Pneumothorax',
  'Consolidation',
  'Pleural_Thickening',
  'Cardiomegaly',
  'Fibrosis',
  'Edema',
  'Tortuous Aorta',
  'Emphysema',
  'Pneumonia',
  'Calcification of the Aorta',
  'Pneumoperitoneum',
  'Hernia',
  'Subcutaneous Emphysema',
  'Pneumomediastinum',
] as const;

/** The label files of NIH-CXR-LT: `id` is the file name and the path at once. */
export const NIH_CXR_LT: LabelTableFormat = {
  dataset: 'nih-cxr-lt',
  classes: NIH_CXR_LT_CLASSES,
  idColumn: 'id',
  pathColumn: 'id',
  patientColumn: 'subject_id',
};
