/** The peak of each channel, dBFS; −∞ for silence. */
export type Peaks = readonly [left: number, right: number];

/** Listens to a video's sound and says how loud it is; plays it only where that is wanted. */
export class Levels {
  readonly #context: AudioContext;
  readonly #gain: GainNode;
  readonly #ears: readonly [AnalyserNode, AnalyserNode];
  readonly #samples = new Float32Array(2048);

  /** Only after somebody has touched the page: a browser lets no sound be heard before. */
  constructor(video: HTMLVideoElement) {
    this.#context = new AudioContext();
    const source = this.#context.createMediaElementSource(video);
    const split = this.#context.createChannelSplitter(2);
    this.#gain = this.#context.createGain();
    this.#gain.gain.value = 0;
    source.connect(split);
    source.connect(this.#gain).connect(this.#context.destination);
    const ear = (channel: number) => {
      const node = this.#context.createAnalyser();
      node.fftSize = this.#samples.length;
      split.connect(node, channel);
      return node;
    };
    this.#ears = [ear(0), ear(1)];
    void this.#context.resume();
  }

  set audible(on: boolean) {
    this.#gain.gain.value = on ? 1 : 0;
    void this.#context.resume();
  }

  get peaks(): Peaks {
    const [left, right] = this.#ears.map((ear) => this.#peak(ear)) as [number, number];
    // A mono track arrives on the first channel only.
    return [left, right === -Infinity ? left : right];
  }

  close(): void {
    void this.#context.close();
  }

  #peak(ear: AnalyserNode): number {
    ear.getFloatTimeDomainData(this.#samples);
    let peak = 0;
    for (const sample of this.#samples) peak = Math.max(peak, Math.abs(sample));
    return 20 * Math.log10(peak);
  }
}

/** Marks of the scale: a level, dBFS, and its height, 0 to 1. Loud is where one looks, so it has more room. */
export const SCALE = [
  [0, 1],
  [-6, 0.84],
  [-12, 0.68],
  [-24, 0.44],
  [-48, 0.12],
  [-60, 0],
] as const;

/** Where a level stands on the scale, 0 to 1. */
export function height(db: number): number {
  if (db >= 0) return 1;
  for (let i = 1; i < SCALE.length; i++) {
    const [upper, lower] = [SCALE[i - 1]!, SCALE[i]!];
    if (db >= lower[0]) return lower[1] + ((db - lower[0]) / (upper[0] - lower[0])) * (upper[1] - lower[1]);
  }
  return 0;
}
