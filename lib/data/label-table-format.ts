/** How the single-label files of one set are laid out: a column of 0 and 1 for each class, in any order. */
export interface LabelTableFormat {
  /** First part of the file names. */
  readonly dataset: string;
  /** Class order, which is not the column order. */
  readonly classes: readonly string[];
  /** Column of the unique image name. */
  readonly idColumn: string;
  /** Column of the image path. */
  readonly pathColumn: string;
  /** Column of the patient. */
  readonly patientColumn: string;
}
