/** Notes one assertion and says how it went. */
export type Check = (holds: boolean, what: string) => void;

/** How many assertions held. */
export interface Tally {
  passed: number;
  failed: number;
}

/** A {@link Check} that counts into `tally` and prints a line for each assertion. */
export function checking(tally: Tally): Check {
  return (holds, what) => {
    tally[holds ? 'passed' : 'failed'] += 1;
    console.log(`${holds ? 'ok' : 'NOT OK'} - ${what}`);
  };
}
