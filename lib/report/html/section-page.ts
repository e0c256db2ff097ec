import type { Content } from './markup.js';
import { html } from './markup.js';
import { type PageHead, pageHeader } from './overview.js';
import { page } from './page.js';

/** A part of a page with a title of its own. */
export interface PageSection {
  /** Where the way to the sections leads. */
  readonly id: string;
  /** Its title. */
  readonly title: string;
  /** What is in it. */
  readonly body: Content;
}

/** A whole page: what stands on top, and its sections. */
export function sectionPage(head: PageHead, sections: readonly PageSection[]): string {
  return page(
    head.title,
    pageHeader(head, sections),
    sections.map(
      ({
        id,
        title,
        body,
      }) => html`<section id="${id}" aria-labelledby="${id}-title"><h2 id="${id}-title">${title}</h2>
${body}
</section>
`,
    ),
  );
}
