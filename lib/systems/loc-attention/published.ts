import type { DiagnosticFigureName } from '../../metrics/diagnostic-figures.js';
import { knownKeys, oneOf } from '../../validate.js';

/** Data sets of the published tables; Ottawa's images are private. */
export const publishedAttentionDatasets = ['nih', 'ottawa'] as const;

/** One of {@link publishedAttentionDatasets}. */
export type PublishedAttentionDataset = (typeof publishedAttentionDatasets)[number];

/** Tasks with published results. `ns` has them for Ottawa only; none are published for `neps`. */
export const publishedAttentionTasks = ['ne', 'np', 'ns', 'nep'] as const;

/** One of {@link publishedAttentionTasks}. */
export type PublishedAttentionTask = (typeof publishedAttentionTasks)[number];

/** Backbones by the names that file names bear: PVTv2-B2-Li, VGG16, ResNet50. */
export const publishedAttentionBackbones = ['pvt', 'vgg', 'resnet'] as const;

/** One of {@link publishedAttentionBackbones}. */
export type PublishedAttentionBackbone = (typeof publishedAttentionBackbones)[number];

/** The columns λ of the published tables; 1 is cross-entropy alone. */
export const publishedLambdas = ['1', '0.75', '0.5', '0.25', 'adaptive'] as const;

/** One of {@link publishedLambdas}. */
export type PublishedLambda = (typeof publishedLambdas)[number];

/** A row of a table: PVT | VGG16 | ResNet50, and a figure for each λ of each. */
type Row = string;

/**
 * Results on the test set (loc-attention.md section 8; README of `deeplearninglab21/cxr-loc-attention` and the appendix of
 * doi 10.1007/s10618-026-01214-x), each the best of unstated thresholds. The two sources differ in one row, accuracy of
 * VGG16 on Ottawa's nep: the README's .521 is a whole count of 234 images and taken here.
 */
const byLambda: Readonly<Record<string, Readonly<Partial<Record<DiagnosticFigureName, Row>>>>> = {
  'nih ne': {
    accuracy: '.817 .822 .828 .821 .855 | .834 .821 .821 .820 .825 | .809 .808 .784 .815 .809',
    precision: '.823 .824 .828 .821 .857 | .835 .822 .822 .824 .826 | .814 .809 .788 .815 .810',
    f1: '.817 .821 .828 .821 .854 | .834 .821 .821 .820 .825 | .808 .808 .784 .815 .809',
    auroc: '.884 .896 .896 .894 .909 | .907 .900 .896 .900 .891 | .870 .863 .860 .874 .872',
    ppv: '.865 .851 .838 .829 .889 | .817 .843 .840 .858 .846 | .854 .803 .819 .805 .821',
    sensitivity: '.752 .780 .813 .809 .810 | .861 .789 .793 .769 .794 | .746 .818 .731 .831 .790',
    specificity: '.882 .863 .843 .833 .899 | .807 .853 .850 .872 .856 | .872 .799 .838 .799 .828',
    falseDiscoveryRate: '.135 .149 .162 .171 .111 | .183 .157 .160 .142 .154 | .146 .197 .181 .195 .179',
    falseOmissionRate: '.219 .203 .182 .186 .174 | .147 .198 .196 .210 .194 | .226 .186 .243 .175 .202',
  },
  'ottawa ne': {
    accuracy: '.628 .660 .692 .654 .628 | .673 .667 .673 .654 .692 | .654 .635 .628 .673 .667',
    precision: '.629 .662 .693 .659 .630 | .682 .667 .674 .662 .692 | .659 .638 .630 .673 .669',
    f1: '.628 .659 .692 .651 .627 | .669 .666 .672 .649 .692 | .651 .632 .627 .673 .665',
    auroc: '.743 .723 .752 .678 .683 | .726 .735 .745 .745 .760 | .736 .672 .739 .737 .711',
    ppv: '.622 .681 .703 .630 .614 | .642 .676 .659 .625 .697 | .630 .615 .616 .667 .648',
    sensitivity: '.654 .603 .718 .744 .692 | .782 .641 .718 .769 .679 | .744 .718 .679 .692 .731',
    specificity: '.603 .718 .718 .564 .564 | .564 .692 .628 .538 .705 | .564 .551 .577 .654 .603',
    falseDiscoveryRate: '.378 .319 .297 .370 .386 | .358 .324 .341 .375 .303 | .370 .385 .384 .333 .352',
    falseOmissionRate: '.365 .356 .317 .313 .353 | .279 .341 .310 .300 .313 | .313 .338 .357 .320 .309',
  },
  'nih np': {
    accuracy: '.771 .793 .784 .759 .790 | .765 .763 .768 .776 .778 | .727 .749 .731 .738 .743',
    precision: '.772 .793 .784 .760 .791 | .766 .764 .768 .776 .778 | .727 .751 .733 .739 .746',
    f1: '.771 .793 .783 .758 .790 | .765 .763 .768 .776 .778 | .727 .749 .731 .738 .742',
    auroc: '.842 .872 .858 .841 .868 | .841 .828 .848 .848 .860 | .817 .821 .807 .818 .804',
    ppv: '.786 .804 .769 .778 .796 | .751 .753 .771 .768 .769 | .732 .733 .713 .723 .719',
    sensitivity: '.745 .774 .811 .724 .781 | .795 .784 .761 .790 .795 | .715 .784 .774 .772 .797',
    specificity: '.797 .811 .756 .793 .800 | .736 .743 .774 .761 .761 | .738 .715 .688 .704 .688',
    falseDiscoveryRate: '.214 .196 .231 .222 .204 | .249 .247 .229 .232 .231 | .268 .267 .287 .277 .281',
    falseOmissionRate: '.242 .218 .200 .258 .215 | .218 .226 .236 .216 .212 | .278 .232 .247 .244 .228',
  },
  'ottawa np': {
    accuracy: '.565 .578 .595 .595 .642 | .634 .642 .681 .647 .629 | .552 .547 .504 .608 .556',
    precision: '.565 .578 .595 .596 .642 | .647 .643 .681 .648 .629 | .557 .549 .505 .609 .558',
    f1: '.564 .576 .594 .594 .642 | .625 .642 .681 .646 .629 | .541 .544 .496 .607 .553',
    auroc: '.626 .632 .654 .623 .653 | .707 .681 .714 .740 .680 | .591 .569 .504 .627 .583',
    ppv: '.571 .587 .602 .587 .643 | .603 .636 .684 .663 .627 | .539 .540 .506 .619 .567',
    sensitivity: '.517 .526 .560 .638 .638 | .784 .664 .672 .595 .638 | .707 .638 .379 .560 .474',
    specificity: '.612 .629 .629 .552 .647 | .483 .621 .690 .698 .621 | .397 .457 .629 .655 .638',
    falseDiscoveryRate: '.429 .413 .398 .413 .357 | .397 .364 .316 .337 .373 | .461 .460 .494 .381 .433',
    falseOmissionRate: '.441 .430 .411 .396 .359 | .309 .351 .322 .367 .368 | .425 .442 .497 .402 .452',
  },
  'ottawa ns': {
    accuracy: '.754 .735 .727 .758 .739 | .750 .742 .742 .731 .758 | .667 .678 .621 .652 .652',
    precision: '.757 .740 .727 .759 .740 | .751 .742 .751 .731 .776 | .668 .683 .621 .657 .652',
    f1: '.753 .733 .727 .757 .738 | .750 .742 .740 .731 .753 | .666 .676 .621 .649 .651',
    auroc: '.828 .810 .811 .831 .799 | .790 .811 .829 .813 .811 | .707 .712 .667 .715 .696',
    ppv: '.786 .777 .721 .779 .756 | .762 .739 .796 .729 .847 | .683 .712 .619 .685 .664',
    sensitivity: '.697 .659 .742 .720 .705 | .727 .750 .652 .735 .629 | .621 .598 .629 .561 .614',
    specificity: '.811 .811 .712 .795 .773 | .773 .735 .833 .727 .886 | .712 .758 .614 .742 .689',
    falseDiscoveryRate: '.214 .223 .279 .221 .244 | .238 .261 .204 .271 .153 | .317 .288 .381 .315 .336',
    falseOmissionRate: '.272 .296 .266 .261 .277 | .261 .254 .295 .267 .295 | .347 .346 .377 .372 .359',
  },
  'nih nep': {
    accuracy: '.651 .651 .670 .669 .677 | .674 .653 .640 .660 .641 | .631 .610 .601 .620 .632',
    precision: '.651 .651 .672 .669 .678 | .674 .657 .641 .660 .641 | .631 .609 .598 .622 .632',
    f1: '.652 .651 .671 .669 .677 | .674 .651 .640 .660 .641 | .626 .609 .598 .609 .630',
    auroc: '.812 .819 .843 .828 .839 | .831 .822 .820 .822 .817 | .800 .781 .781 .793 .794',
  },
  'ottawa nep': {
    accuracy: '.457 .491 .453 .474 .496 | .474 .521 .521 .496 .474 | .496 .419 .466 .487 .453',
    precision: '.465 .488 .462 .472 .491 | .466 .518 .516 .486 .474 | .493 .407 .448 .486 .437',
    f1: '.443 .488 .453 .470 .488 | .459 .517 .507 .482 .445 | .488 .408 .450 .484 .441',
    auroc: '.643 .663 .644 .650 .677 | .697 .709 .722 .688 .667 | .683 .610 .675 .679 .674',
  },
};

/** Cross-entropy and the best proposed setting by F1, for each backbone (appendix, tables I and II). */
const againstCrossEntropy: Readonly<Record<string, Readonly<Partial<Record<DiagnosticFigureName, Row>>>>> = {
  'ottawa ne': {
    sensitivity: '.654 .705 | .782 .692 | .744 .692',
    specificity: '.603 .744 | .564 .718 | .564 .718',
    youden: '.257 .449 | .410 .384 | .308 .410',
    discriminantPower: '.253 .464 | .367 .418 | .317 .418',
  },
  'ottawa np': {
    sensitivity: '.517 .638 | .784 .784 | .707 .672',
    specificity: '.612 .647 | .483 .586 | .397 .612',
    youden: '.129 .285 | .267 .370 | .104 .284',
    discriminantPower: '.125 .281 | .292 .392 | .111 .281',
  },
  'ottawa ns': {
    sensitivity: '.697 .780 | .727 .735 | .621 .689',
    specificity: '.811 .795 | .773 .780 | .712 .712',
    youden: '.508 .575 | .500 .515 | .333 .401',
    discriminantPower: '.548 .628 | .528 .547 | .335 .407',
  },
  'ottawa nep': {
    sensitivity: '.457 .551 | .474 .543 | .496 .513',
    specificity: '.729 .776 | .737 .771 | .748 .756',
    youden: '.186 .327 | .212 .314 | .244 .269',
    discriminantPower: '.212 .368 | .223 .405 | .263 .284',
  },
  'nih ne': {
    sensitivity: '.752 .810 | .861 .823 | .746 .828',
    specificity: '.882 .899 | .807 .853 | .872 .824',
    youden: '.634 .709 | .668 .676 | .618 .652',
    discriminantPower: '.747 .871 | .779 .750 | .789 .746',
  },
  'nih np': {
    sensitivity: '.745 .815 | .795 .795 | .715 .806',
    specificity: '.797 .793 | .736 .788 | .738 .770',
    youden: '.542 .608 | .531 .583 | .453 .576',
    discriminantPower: '.584 .677 | .570 .639 | .468 .630',
  },
  'nih nep': {
    sensitivity: '.651 .689 | .674 .683 | .631 .632',
    specificity: '.826 .845 | .837 .842 | .815 .816',
    youden: '.477 .534 | .511 .525 | .446 .449',
    discriminantPower: '.525 .603 | .569 .590 | .498 .492',
  },
};

/** Which published result. */
export interface PublishedAttentionChoice {
  /** Whose test set. */
  readonly dataset: PublishedAttentionDataset;
  /** Which task. */
  readonly task: PublishedAttentionTask;
  /** Which network. */
  readonly backbone: PublishedAttentionBackbone;
  /**
   * A column of the tables, or `best`: the best proposed setting by F1, which may be one that no column shows, because the
   * search over thresholds was wider than what is tabulated.
   */
  readonly lambda: PublishedLambda | 'best';
}

/**
 * The published figures of one setting: those that the tables have of it.
 *
 * @param choice data set, task, backbone and λ
 * @returns `null` where nothing is published, as for `ns` on NIH
 * @throws CxrGazeError `ERR_INVALID_ARGUMENT`
 * @example
 * ```ts
 * publishedAttentionFigures({ dataset: 'nih', task: 'ne', backbone: 'pvt', lambda: 'adaptive' })?.accuracy; // 0.855
 * ```
 */
export function publishedAttentionFigures(
  choice: PublishedAttentionChoice,
): Readonly<Partial<Record<DiagnosticFigureName, number>>> | null {
  knownKeys('choice', choice, ['dataset', 'task', 'backbone', 'lambda']);
  const dataset = oneOf('dataset', choice.dataset, publishedAttentionDatasets);
  const task = oneOf('task', choice.task, publishedAttentionTasks);
  const backbone = publishedAttentionBackbones.indexOf(
    oneOf('backbone', choice.backbone, publishedAttentionBackbones),
  );
  const lambda = oneOf('lambda', choice.lambda, [...publishedLambdas, 'best'] as const);
  const rows = byLambda[`${dataset} ${task}`];
  const pairs = againstCrossEntropy[`${dataset} ${task}`];
  if (rows === undefined || pairs === undefined) return null;
  const pick = (from: Readonly<Partial<Record<DiagnosticFigureName, Row>>>, at: number) =>
    Object.entries(from).map(([name, row]) => [name, figureAt(row, backbone, at)] as const);
  if (lambda === 'best') return Object.fromEntries(pick(pairs, 1));
  const column = pick(rows, publishedLambdas.indexOf(lambda));
  return Object.fromEntries(lambda === '1' ? [...pick(pairs, 0), ...column] : column);
}

function figureAt(row: Row, backbone: number, at: number): number {
  return Number(row.split(' | ')[backbone]?.split(' ')[at]);
}
