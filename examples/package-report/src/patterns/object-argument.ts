import { parallel } from "makeparallel";

class Matrix {
  readonly #cells: Float64Array;

  constructor(
    readonly size: number,
    cell: (row: number, column: number) => number,
  ) {
    this.#cells = Float64Array.from({ length: size * size }, (_, i) => cell(Math.floor(i / size), i % size));
  }

  at(row: number, column: number): number {
    return this.#cells[row * this.size + column] ?? NaN;
  }

  times(other: Matrix): Matrix {
    return new Matrix(this.size, (row, column) => {
      let sum = 0;
      for (let k = 0; k < this.size; k++) sum += this.at(row, k) * other.at(k, column);
      return sum;
    });
  }

  trace(): number {
    let sum = 0;
    for (let i = 0; i < this.size; i++) sum += this.at(i, i);
    return sum;
  }
}

/** Takes objects with methods and private fields, and gives one back. */
const multiply = parallel((a: Matrix, b: Matrix) => a.times(b));

export async function objectArgument(): Promise<string> {
  const shift = new Matrix(120, (row, column) => (column === (row + 1) % 120 ? 1 : 0));
  const counting = new Matrix(120, (row, column) => row * 120 + column);
  const product = await multiply(shift, counting);
  const here = shift.times(counting);
  return `a Matrix came back: ${product instanceof Matrix}, trace ${product.trace()} (here: ${here.trace()})`;
}
