/**
 * What Node itself costs, `floor-node.mjs PORT`: reads packets, answers each with bytes that are ready, and hands each QoS 1
 * message to the next subscriber. One write for each connection and turn, like Swarmq; but it checks nothing, keeps nothing,
 * knows no topic and no session. No broker on Node's sockets can cost less.
 */
import { createServer } from 'node:net';

const connack = Buffer.from([0x20, 2, 0, 0]);
const [connect, publish, subscribe, disconnect] = [1, 3, 8, 14];
const subscribers = [];
const written = new Map();
let turn = 0;
let packetId = 0;

/** What a socket is to send at the end of the turn. */
function send(socket, bytes) {
  if (written.size === 0) setImmediate(flush);
  const parts = written.get(socket);
  if (parts === undefined) written.set(socket, [bytes]);
  else parts.push(bytes);
}

function flush() {
  for (const [socket, parts] of written) socket.write(parts.length === 1 ? parts[0] : Buffer.concat(parts));
  written.clear();
}

/** Offset and end of the body of the packet at `at`; null when it is not whole yet. */
function bodyOf(bytes, at) {
  let length = 0;
  for (let i = 0, shift = 0; at + 1 + i < bytes.length; i++, shift += 7) {
    const byte = bytes[at + 1 + i];
    length |= (byte & 0x7f) << shift;
    if (byte < 0x80) return at + 2 + i + length <= bytes.length ? { start: at + 2 + i, end: at + 2 + i + length } : null;
  }
  return null;
}

function handle(socket, bytes, at, { start, end }) {
  const type = bytes[at] >> 4;
  if (type === connect) send(socket, connack);
  else if (type === subscribe) {
    subscribers.push(socket);
    socket.once('close', () => subscribers.splice(subscribers.indexOf(socket), 1));
    send(socket, Buffer.from([0x90, 3, bytes[start], bytes[start + 1], 1]));
  } else if (type === publish) {
    const idAt = start + 2 + bytes.readUInt16BE(start);
    send(socket, Buffer.from([0x40, 2, bytes[idAt], bytes[idAt + 1]]));
    const message = Buffer.from(bytes.subarray(at, end));
    packetId = (packetId % 65_535) + 1;
    message.writeUInt16BE(packetId, idAt - at);
    if (subscribers.length > 0) send(subscribers[turn++ % subscribers.length], message);
  } else if (type === disconnect) socket.destroy();
}

const server = createServer({ noDelay: true }, (socket) => {
  let rest = null;
  socket.on('data', (chunk) => {
    const bytes = rest === null ? chunk : Buffer.concat([rest, chunk]);
    let at = 0;
    for (let body = bodyOf(bytes, 0); body !== null; body = bodyOf(bytes, at)) {
      handle(socket, bytes, at, body);
      at = body.end;
    }
    rest = at < bytes.length ? bytes.subarray(at) : null;
  });
  socket.on('error', () => socket.destroy());
});

process.on('SIGTERM', () => process.exit(0));
server.listen(Number(process.argv[2]), '127.0.0.1', 4096, () => console.log(JSON.stringify({ msg: 'ready' })));
