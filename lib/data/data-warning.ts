/** Something in the input that need not stop the work, but must not go unseen. */
export interface DataWarning {
  /** Stable name of the kind, such as `patient-in-two-splits`. */
  readonly kind: string;
  /** One sentence, with counts and first examples. */
  readonly message: string;
  /** All particulars: ids, lines, file names. */
  readonly details: Readonly<Record<string, unknown>>;
}
