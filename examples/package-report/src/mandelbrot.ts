import fs from "node:fs";
import { parallel } from "makeparallel";
import { PNG } from "pngjs";

interface View {
  width: number;
  height: number;
  centre: [re: number, im: number];
  /** Width of the picture in the complex plane. */
  span: number;
  iterations: number;
}

/** RGBA bytes of the rows from `first` up to `end`. */
const renderRows = parallel((view: View, first: number, end: number): Uint8Array => {
  const pixels = new Uint8Array((end - first) * view.width * 4);
  const scale = view.span / view.width;
  let offset = 0;
  for (let y = first; y < end; y++) {
    for (let x = 0; x < view.width; x++) {
      const re = view.centre[0] + (x - view.width / 2) * scale;
      const im = view.centre[1] + (y - view.height / 2) * scale;
      pixels.set(colour(escapeTime(re, im, view.iterations), view.iterations), offset);
      offset += 4;
    }
  }
  return pixels;
});

/** Renders the set in bands of rows on all cores and writes it as a PNG. */
export async function mandelbrot(file: string): Promise<string> {
  const view: View = { width: 1200, height: 800, centre: [-0.743643, 0.131826], span: 0.006, iterations: 600 };
  const bandHeight = 16;
  const bands: [first: number, end: number][] = [];
  for (let first = 0; first < view.height; first += bandHeight) bands.push([first, Math.min(first + bandHeight, view.height)]);

  const start = performance.now();
  const rendered = await Promise.all(bands.map(([first, end]) => renderRows(view, first, end)));
  const milliseconds = performance.now() - start;

  const png = new PNG({ width: view.width, height: view.height });
  bands.forEach(([first], i) => png.data.set(rendered[i]!, first * view.width * 4));
  fs.writeFileSync(file, PNG.sync.write(png));

  // It opens: what a decoder reads back is what was rendered.
  const opened = PNG.sync.read(fs.readFileSync(file));
  const intact = opened.width === view.width && opened.height === view.height && Buffer.compare(opened.data, png.data) === 0;
  if (!intact) throw new Error(`${file} does not hold what was rendered`);
  return `${view.width} × ${view.height} pixels in ${bands.length} bands, ${milliseconds.toFixed(0)} ms, written to ${file}`;
}

/** Iterations until the orbit of the point escapes, smoothed; `limit` if it does not. */
function escapeTime(re: number, im: number, limit: number): number {
  let x = 0;
  let y = 0;
  for (let i = 0; i < limit; i++) {
    const xx = x * x;
    const yy = y * y;
    if (xx + yy > 256) return i + 1 - Math.log2(Math.log2(xx + yy) / 2);
    y = 2 * x * y + im;
    x = xx - yy + re;
  }
  return limit;
}

function colour(time: number, limit: number): [number, number, number, number] {
  if (time >= limit) return [8, 8, 24, 255];
  const t = Math.sqrt(time / limit);
  const wave = (phase: number) => Math.round(255 * (0.5 + 0.5 * Math.cos(2 * Math.PI * (1.6 * t + phase))));
  return [wave(0.5), wave(0.62), wave(0.78), 255];
}
