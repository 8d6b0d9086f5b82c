// Pointing at a chart says the values there. Without scripts the browser's own tooltips do.
for (const figure of document.querySelectorAll('figure')) {
  const line = figure.querySelector('.said');
  if (!line) continue;
  const last = line.textContent;
  for (const band of figure.querySelectorAll('.band')) {
    const text = band.textContent;
    band.firstElementChild.textContent = '';
    band.addEventListener('pointerenter', () => { line.textContent = text; });
  }
  figure.addEventListener('pointerleave', () => { line.textContent = last; });
}
