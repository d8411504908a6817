import assert from 'node:assert/strict';
import { BrokerError, type ErrorCode } from '../../src/base/errors.ts';
import { FrameReader } from '../../src/codec/frames.ts';

export const versions = [3, 4, 5] as const;

/** Bytes as the standard prints them, `30 05 00 01 'a'`: hex pairs, and text in quotes. */
export function bytes(text: string): Buffer {
  const parts = text.match(/'[^']*'|[0-9a-f]{2}/gi) ?? [];
  return Buffer.concat(
    parts.map((part) => (part.startsWith("'") ? Buffer.from(part.slice(1, -1)) : Buffer.from(part, 'hex'))),
  );
}

/** A packet of a first byte and a body, with the length the body has. */
export function packet(first: number, body: Buffer): Buffer {
  const length: number[] = [];
  let rest = body.length;
  do {
    length.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    rest >>>= 7;
  } while (rest > 0);
  return Buffer.concat([Buffer.of(first, ...length), body]);
}

/** The one packet in these bytes, as a reader holds it. */
export function framed(whole: Buffer): FrameReader {
  const frames = new FrameReader(1_000_000);
  frames.push(whole);
  assert.ok(frames.next(), 'the packet is complete');
  return frames;
}

export type Read<T> = (buffer: Buffer, first: number, start: number, end: number, version: 3 | 4 | 5) => T;

/** Reads one whole packet. */
export function readWhole<T>(read: Read<T>, whole: Buffer, version: 3 | 4 | 5): T {
  const { buffer, first, start, end } = framed(whole);
  return read(buffer, first, start, end, version);
}

/** That `run` throws a BrokerError of this code, whose message matches. */
export function refuses(code: ErrorCode, message: RegExp, run: () => unknown): void {
  assert.throws(run, (error) => {
    assert.ok(error instanceof BrokerError, `a BrokerError, not ${String(error)}`);
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  });
}

/** Numbers that repeat for the same seed: 0 <= n < below. (mulberry32) */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 0x100000000) * below);
  };
}
