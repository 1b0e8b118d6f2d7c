// Blocks of packed numbers: decoded when they are needed, the last ones kept.

const KEPT_BLOCKS = 12;

const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

const unzipped = async (text) => {
  const stream = new Blob([bytesOf(text.trim())]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
};

// Bytes lie sorted by their significance: all lowest ones first.
const unsorted = (bytes, width) => {
  const count = bytes.length / width;
  const numbers = new Uint8Array(bytes.length);
  for (let place = 0; place < width; place++) {
    for (let i = 0; i < count; i++) numbers[i * width + place] = bytes[place * count + i];
  }
  return numbers.buffer;
};

const DECODERS = {
  fraction: [2, (buffer) => Float64Array.from(new Uint16Array(buffer), (code) => (code === 65535 ? NaN : code / 50000))],
  magnitude: [2, (buffer) => new Float32Array(Uint32Array.from(new Uint16Array(buffer), (half) => half << 16).buffer)],
  exact: [8, (buffer) => new Float64Array(buffer)],
  code: [2, (buffer) => new Uint16Array(buffer)],
};

// The parts of a block, each with its facts and, by column, its numbers in the order of the column's axes.
const unpacked = (bytes) => {
  const length = new DataView(bytes.buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
  const parts = header.parts.map((facts) => ({ ...facts, values: {} }));
  let start = 4 + length;
  for (const [name, [kind, ...axes]] of Object.entries(header.columns)) {
    const [width, decode] = DECODERS[kind];
    const sizes = parts.map((part) => axes.reduce((size, axis) => size * part.lengths[axis], 1));
    const end = start + width * sizes.reduce((sum, size) => sum + size, 0);
    const numbers = decode(unsorted(bytes.subarray(start, end), width));
    let first = 0;
    parts.forEach((part, i) => (part.values[name] = numbers.subarray(first, (first += sizes[i]))));
    start = end;
  }
  return parts;
};

const textOf = (id) => document.getElementById(id).textContent;

const blocks = new Map();

const block = (number) => {
  const found = blocks.get(number) ?? unzipped(textOf(`explorer-cells-${number}`)).then(unpacked);
  blocks.delete(number);
  blocks.set(number, found); // the last one used comes last
  if (blocks.size > KEPT_BLOCKS) blocks.delete(blocks.keys().next().value);
  return found;
};
