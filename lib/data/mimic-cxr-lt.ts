import type { LabelTableFormat } from './label-table-format.js';

/**
 * MIMIC-CXR-LT's classes by decreasing training frequency: label = index (Holste et al., "Long-Tailed
 * Classification of Thorax Diseases on Chest X-Ray", DALI 2022; `VITA-Group/LongTailCXR`).
 */
export const MIMIC_CXR_LT_CLASSES = [
  'No Finding',
  'Lung Opacity',
  'Cardiomegaly',
  'Atelectasis',
  'Pleural Effusion',
  'Support Devices',
  'Edema',
  'Pneumonia',
  'Pneumothorax',
  'Lung Lesion',
  'Fracture',
  'Enlarged Cardiomediastinum',
  'Consolidation',
  'Pleural Other',
  'Calcification of the Aorta',
  'Tortuous Aorta',
  'Pneumoperitoneum',
  'Subcutaneous Emphysema',
  'Pneumomediastinum',
] as const;

/** The label files of MIMIC-CXR-LT: `path` is relative to the root of MIMIC-CXR-JPG. */
export const MIMIC_CXR_LT: LabelTableFormat = {
  dataset: 'mimic-cxr-lt',
  classes: MIMIC_CXR_LT_CLASSES,
  idColumn: 'dicom_id',
  pathColumn: 'path',
  patientColumn: 'subject_id',
};
