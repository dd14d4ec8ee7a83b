#!/usr/bin/env python3
"""Writes the golden log files beside it: once, from the text of docs/reference/log-format.md alone.

The files are in the repository and are read for ever; run this only to add new ones. It shares no code with the writer
or the readers. expected.json says what each file holds.
"""
import json
import os
import struct

HERE = os.path.dirname(os.path.abspath(__file__))
STREAM = 0x1122334455667788
T0 = 1_760_000_000_000_000_000


def crc32c(data, crc=0):
    crc ^= 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def up(n, a=512):
    return (n + a - 1) // a * a


def pack(entries):
    return b''.join(struct.pack('<I', len(e)) + e for e in entries)


def plain(entries, capacity=4096, pad=b'\0'):
    data = pack(entries)
    block = struct.pack('<II', max(capacity, 8 + len(data)), len(data)) + data
    return block + (pad * 512)[: up(len(block)) - len(block)]


def block(entries, sequence, capacity=65536, stream=STREAM, flags=0, generation=0, segment=0, producer=1, align=512,
          first=None, last=None):
    data = pack(entries)
    head = struct.pack('<II', max(capacity, 8 + len(data)), len(data)) + data
    stride = up(len(head))
    carried = stride - len(head) < 64
    length = stride + (512 if carried else 0)
    first = T0 + sequence * 1000 if first is None else first
    last = first + 999 if last is None else last
    trailer = struct.pack('<IHHQQQQIIIII', 0x544C4853, 1, flags | (1 if carried else 0), stream, sequence, first, last,
                          len(entries), generation, segment, producer, length)
    trailer += struct.pack('<I', crc32c(head + trailer))
    out = head + b'\0' * (stride - len(head))
    if carried:
        out += struct.pack('<II', 512, 0) + b'\0' * (512 - 8 - 64) + trailer
    else:
        out = out[:-64] + trailer
    assert len(out) == length
    return out + b'\0' * (up(length, align) - length)


def lines(prefix, count):
    return [f'{prefix} line {i}\n'.encode() for i in range(count)]


def flip(data, at, bit=0):
    out = bytearray(data)
    out[at] ^= 1 << bit
    return bytes(out)


FILES = {}


def golden(name, data, entries, damage=()):
    FILES[name] = {'entries': [e.decode('latin1') for e in entries], 'damage': list(damage)}
    with open(os.path.join(HERE, name + '.log'), 'wb') as f:
        f.write(data)


def main():
    a, b, c = lines('a', 5), lines('b', 40), lines('c', 7)
    golden('empty', b'', [])
    golden('one-block', block(a, 0), a)
    golden('three-blocks', block(a, 0) + block(b, 1, producer=2) + block(c, 2), a + b + c)
    golden('verbatim', block([b'\0', b'\xff\xfe', b'x', b'no newline', b'two\nlines\n'], 0),
           [b'\0', b'\xff\xfe', b'x', b'no newline', b'two\nlines\n'])
    exact = [b'e' * (512 - 8 - 4)]
    nearly = [b'n' * (512 - 8 - 4 - 63)]
    fits = [b'f' * (512 - 8 - 4 - 64)]
    golden('carrier', block(exact, 0) + block(nearly, 1) + block(fits, 2) + block(a, 3), exact + nearly + fits + a)
    golden('aligned-4096', block(a, 0, align=4096) + block(exact, 1, align=4096) + block(c, 2, align=4096), a + exact + c)
    golden('fill', b'\0' * 1536 + block(a, 0) + b'\0' * 512 + block(b, 1) + b'\0' * 1024, a + b)
    golden('no-trailers', plain(a) + plain(b) + plain(c), a + b + c)
    golden('no-trailers-stale-padding', plain(a, pad=b'z') + plain(b, pad=b'\1'), a + b,
           ['nonzero-padding', 'nonzero-padding'])
    golden('recovered', block(a, 0) + block(b, 1, flags=2, generation=1, segment=3), a + b)
    golden('js-engine', block(a, 0, flags=4) + block(b, 1, flags=4), a + b)
    golden('two-streams', block(a, 0) + block(b, 1) + block(c, 0, stream=99), a + b + c)
    golden('rotated', block(a, 17) + block(b, 18), a + b)
    whole = block(a, 0) + block(b, 1)
    golden('torn-tail', whole[: len(block(a, 0)) + 200], a + b[:(200 - 8) // (4 + len(b[0]))], ['torn-tail'])
    golden('torn-header', block(a, 0) + block(b, 1)[:5], a, ['torn-tail'])
    middle = len(block(a, 0))
    three = block(a, 0) + block(b, 1) + block(c, 2)
    golden('corrupt-entry-byte', flip(three, middle + 100), a + c, ['bad-trailer', 'sequence-hole'])
    golden('corrupt-length', flip(three, middle + 8 + 3, 6), a + c, ['bad-trailer', 'sequence-hole'])
    golden('corrupt-valid', flip(three, middle + 7, 7), a + c, ['bad-header', 'sequence-hole'])
    golden('corrupt-capacity', flip(three, middle, 1), a + c, ['bad-trailer', 'sequence-hole'])
    golden('corrupt-trailer-magic', flip(three, middle + len(block(b, 1)) - 64, 1), a + c,
           ['bad-trailer', 'sequence-hole'])
    golden('corrupt-padding', flip(three, middle - 70, 1), a + b + c, ['nonzero-padding'])
    golden('corrupt-no-trailer', plain(a) + flip(plain(b), 8 + 3, 7) + plain(c), a + c, ['bad-entry'])
    text = b''.join(b'2026-11-21 INFO a line of some other logger %d\n' % i for i in range(30))
    text += b'\0' * (up(len(text)) - len(text))
    golden('foreign-text', text + block(a, 0) + block(b, 1), a + b, ['foreign'])
    golden('foreign-middle', block(a, 0) + text + block(b, 1), a + b, ['foreign'])
    golden('foreign-only', text, [], ['foreign'])
    golden('missing-trailer', block(a, 0) + plain(b) + block(c, 1), a + b + c, ['missing-trailer'])
    golden('appended-to-plain', plain(a) + plain(b) + block(c, 0), a + b + c, ['missing-trailer'])
    golden('sequence-hole', block(a, 0) + block(b, 3), a + b, ['sequence-hole'])
    golden('sequence-repeat', block(a, 0) + block(b, 1) + block(b, 1), a + b + b, ['sequence-repeat'])
    with open(os.path.join(HERE, 'expected.json'), 'w') as f:
        json.dump(FILES, f, indent=1, ensure_ascii=True)
        f.write('\n')


if __name__ == '__main__':
    main()
