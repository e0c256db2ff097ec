import { type Content, html, trusted } from './markup.js';
import { notClinical } from './overview.js';
import { style } from './style.js';

/** Nothing may be loaded and nothing may run, whatever a class name says. */
const policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/** A whole page around its header and main part: no script, no request. */
export function page(title: string, header: Content, main: Content): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${trusted(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${trusted(style)}</style>
</head>
<body>
${header}
<main>
${main}</main>
<footer>Made by cxr-gaze. ${notClinical}</footer>
</body>
</html>
`.text;
}
