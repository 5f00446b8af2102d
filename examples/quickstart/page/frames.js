// The raw frames beside the conversation, and the command to try from a terminal.

import { $ } from '/view.js';

function showFrames(show) {
  $('frames').hidden = !show;
  $('frames-toggle').setAttribute('aria-expanded', show);
  $('chat').classList.toggle('with-frames', show);
  $('frame-list').scrollTop = $('frame-list').scrollHeight;
}

$('frames-toggle').addEventListener('click', () => showFrames($('frames').hidden));
$('frames-close').addEventListener('click', () => { showFrames(false); $('frames-toggle').focus(); });
$('frames-clear').addEventListener('click', () => $('frame-list').replaceChildren());
$('curl').textContent = `curl ${location.origin}/notify \\\n  -H 'Content-Type: application/json' \\\n  -d '{"everyone":true,"data":{"type":"notice","text":"Hello from a terminal"}}'`;
$('copy').addEventListener('click', async () => {
  try {
    await navigator.clipboard.writeText($('curl').textContent);
    $('copy').textContent = 'Copied';
  } catch {
    getSelection().selectAllChildren($('curl')); // No access to the clipboard: ready for Ctrl+C.
    $('copy').textContent = 'Selected';
  }
  setTimeout(() => { $('copy').textContent = 'Copy'; }, 2000);
});

showFrames(matchMedia('(min-width: 1100px)').matches);
