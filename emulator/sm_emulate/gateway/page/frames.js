// application/vnd.amazon.eventstream: the frames of InvokeEndpointWithResponseStream, as they come over the wire.

const TABLE = Uint32Array.from({ length: 256 }, (_, number) => {
  let value = number;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

function crc32(bytes) {
  let value = 0xffffffff;
  for (const byte of bytes) value = TABLE[(value ^ byte) & 0xff] ^ (value >>> 8);
  return (value ^ 0xffffffff) >>> 0;
}

const STRING = 7;
const PRELUDE = 12;
const LONGEST = 24 * 1024 * 1024;

// Takes pieces of a stream of any size; `feed` gives the frames that are whole by then.
export class Frames {
  #held = new Uint8Array(0);

  feed(piece) {
    const joined = new Uint8Array(this.#held.length + piece.length);
    joined.set(this.#held);
    joined.set(piece, this.#held.length);
    const frames = [];
    let from = 0;
    while (joined.length - from >= PRELUDE) {
      const view = new DataView(joined.buffer, from);
      const total = view.getUint32(0);
      if (view.getUint32(8) !== crc32(joined.subarray(from, from + 8)) || total > LONGEST || total < PRELUDE + 4) {
        throw new Error("this is no event stream: the checksum of a frame's beginning is wrong");
      }
      if (joined.length - from < total) break;
      frames.push(read(joined.subarray(from, from + total)));
      from += total;
    }
    this.#held = joined.slice(from);
    return frames;
  }

  // Bytes of a frame whose end did not come.
  get rest() {
    return this.#held.length;
  }
}

function read(frame) {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  if (view.getUint32(frame.length - 4) !== crc32(frame.subarray(0, frame.length - 4))) {
    throw new Error("this is no event stream: the checksum of a frame is wrong");
  }
  const headers = {};
  const end = PRELUDE + view.getUint32(4);
  let at = PRELUDE;
  const text = (length) => new TextDecoder().decode(frame.subarray(at, (at += length)));
  while (at < end) {
    const name = text(frame[at++]);
    if (frame[at++] !== STRING) throw new Error(`the type of the header ${name} is not known here`);
    const length = view.getUint16(at);
    at += 2;
    headers[name] = text(length);
  }
  return { headers, payload: frame.subarray(end, frame.length - 4) };
}
