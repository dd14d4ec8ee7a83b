#!/usr/bin/env python3
"""Reads a shardlog file from the text of docs/reference/log-format.md alone; shares no code with the writers or the other readers.

    plain_reader.py FILE             one JSON line per entry: {"offset", "text"} or {"offset", "base64"}
    plain_reader.py --raw FILE       the entries, each followed by a newline
    plain_reader.py --summary FILE   one JSON object: counts, streams, problems
    plain_reader.py --shared ...     of a file to which others append: what is no block is passed over, sector by sector

It follows R1 to R6 and does not resume: the first block it cannot read ends it. Every trailer is checked, with its CRC-32C
unless --no-crc is given. Exit code 0: no problem found; 1: problems, listed on stderr (and in the summary); 2: usage.
"""
import argparse
import base64
import json
import mmap
import os
import socket
import struct
import sys

MAGIC = 0x544C4853
STEP = 65536


def make_table():
    table = []
    for n in range(256):
        for _ in range(8):
            n = (n >> 1) ^ (0x82F63B78 if n & 1 else 0)
        table.append(n)
    return table


TABLE = make_table()


def crc_by_table(data):
    crc = 0xFFFFFFFF
    table = TABLE
    for byte in data:
        crc = (crc >> 8) ^ table[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def kernel_crc():
    """The Linux kernel's CRC-32C, if it offers one; far faster than a loop in Python."""
    try:
        algorithm = socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET, 0)
        algorithm.bind(('hash', 'crc32c'))
    except (AttributeError, OSError):
        return None

    def crc(data):
        operation, _ = algorithm.accept()
        with operation:
            for at in range(0, len(data), STEP):
                operation.send(data[at:at + STEP], socket.MSG_MORE)
            operation.send(b'')
            return struct.unpack('<I', operation.recv(4))[0]

    return crc if crc(b'123456789') == 0xE3069283 else None


crc32c = kernel_crc() or crc_by_table


def up(n):
    return (n + 511) // 512 * 512


class Reader:
    def __init__(self, data, check_crc, on_entry, shared=False):
        self.data = data
        self.check_crc = check_crc
        self.shared = shared
        self.on_entry = on_entry
        self.problems = []
        self.blocks = self.entries = self.payload = self.fill = self.trailers = 0
        self.without_trailer = []
        self.streams = {}

    def problem(self, at, text):
        self.problems.append({'offset': at, 'problem': text})

    def zero(self, start, end):
        return not any(self.data[start:end])

    def run(self):
        at, size = 0, len(self.data)
        while at < size:
            if size - at < 8:
                self.problem(at, 'fewer bytes than a header at the end')
                return
            capacity, valid = struct.unpack_from('<II', self.data, at)
            if capacity == 0 and valid == 0:
                end = min(at + 512, size)
                if not self.shared and not self.zero(at, end):
                    self.problem(at, 'fill is not zero')
                self.fill += end - at
                at = end
                continue
            if self.shared and self.is_foreign(at, capacity, valid):
                at += 512
                continue
            if capacity < 8 or valid > capacity - 8:
                self.problem(at, f'no block header: capacity {capacity}, valid {valid}')
                return
            if at + up(8 + valid) > size:
                self.problem(at, f'block of {valid} bytes goes past the end of the file')
                return
            count = self.read_entries(at, valid)
            if count is None:
                return
            self.blocks += 1
            at += self.read_trailer(at, valid, count)
        if self.trailers and self.without_trailer and not self.shared:
            for where in self.without_trailer:
                self.problem(where, 'block without trailer among blocks with')

    def is_foreign(self, at, capacity, valid):
        """Whether no block of ours begins here: text gives capacities that no memory has."""
        size = len(self.data)
        if capacity % 512 != 0 or not 512 <= capacity <= 1 << 30 or valid > capacity - 8 or at + up(8 + valid) > size:
            return True
        here, end = at + 8, at + 8 + valid
        while here < end:
            length = struct.unpack_from('<I', self.data, here)[0] if end - here >= 4 else 0
            if length == 0 or here + 4 + length > end:
                return True
            here += 4 + length
        return False

    def read_entries(self, at, valid):
        here, end, count = at + 8, at + 8 + valid, 0
        while here < end:
            if end - here < 4:
                self.problem(here, 'no room for an entry length')
                return None
            (length,) = struct.unpack_from('<I', self.data, here)
            if length == 0 or here + 4 + length > end:
                self.problem(here, f'impossible entry length {length}')
                return None
            self.entries += 1
            self.payload += length
            count += 1
            self.on_entry(here + 4, self.data[here + 4:here + 4 + length])
            here += 4 + length
        return count

    def read_trailer(self, at, valid, count):
        """Checks padding and trailer; returns the distance to what follows."""
        used, stride = 8 + valid, up(8 + valid)
        carried = stride - used < 64
        length = stride + 512 if carried else stride
        there = at + length - 64
        present = there + 64 <= len(self.data) and struct.unpack_from('<I', self.data, there)[0] == MAGIC
        if not present:
            self.without_trailer.append(at)
            if not self.shared and not self.zero(at + used, at + stride):
                self.problem(at + used, 'padding is not zero')
            return stride
        if carried:
            if struct.unpack_from('<II', self.data, at + stride) != (512, 0):
                self.problem(at + stride, 'carrier with a wrong header')
            if not self.zero(at + used, at + stride) or not self.zero(at + stride + 8, there):
                self.problem(at + used, 'padding is not zero')
        elif not self.zero(at + used, there):
            self.problem(at + used, 'padding is not zero')
        fields = struct.unpack_from('<IHHQQQQIIIIII', self.data, there)
        _, version, flags, stream, sequence, _, _, entries, generation, segment, producer, said, crc = fields
        if version != 1:
            self.problem(there, f'trailer version {version}')
        if bool(flags & 1) != carried or flags & ~7:
            self.problem(there, f'trailer flags {flags}')
        if entries != count:
            self.problem(there, f'trailer says {entries} entries, the block has {count}')
        if said != length:
            self.problem(there, f'trailer says length {said}, it is {length}')
        if self.check_crc and crc32c(self.data[at:at + used] + self.data[there:there + 60]) != crc:
            self.problem(at, 'checksum does not match')
        known = self.streams.setdefault(stream, {'first': sequence, 'next': sequence, 'blocks': 0, 'producers': set()})
        if sequence != known['next']:
            self.problem(at, f'sequence {sequence} of stream {stream:x}, expected {known["next"]}')
        known['next'] = sequence + 1
        known['blocks'] += 1
        known['producers'].add(producer)
        self.trailers += 1
        return length

    def summary(self):
        streams = {f'{stream:016x}': {'first': s['first'], 'last': s['next'] - 1, 'blocks': s['blocks'],
                                      'producers': sorted(s['producers'])} for stream, s in self.streams.items()}
        return {'bytes': len(self.data), 'blocks': self.blocks, 'entries': self.entries, 'payloadBytes': self.payload,
                'fillBytes': self.fill, 'trailers': self.trailers, 'streams': streams, 'problems': self.problems}


def as_json(offset, payload):
    try:
        return {'offset': offset, 'text': payload.decode('utf-8')}
    except UnicodeDecodeError:
        return {'offset': offset, 'base64': base64.b64encode(payload).decode()}


def main():
    parser = argparse.ArgumentParser(description='Independent reader of shardlog files.')
    parser.add_argument('file')
    parser.add_argument('--summary', action='store_true')
    parser.add_argument('--raw', action='store_true')
    parser.add_argument('--no-crc', action='store_true')
    parser.add_argument('--shared', action='store_true')
    options = parser.parse_args()
    out = sys.stdout.buffer

    def on_entry(offset, payload):
        if options.raw:
            out.write(payload + b'\n')
        elif not options.summary:
            out.write(json.dumps(as_json(offset, payload)).encode() + b'\n')

    with open(options.file, 'rb') as file:
        empty = os.fstat(file.fileno()).st_size == 0
        data = b'' if empty else mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
        reader = Reader(data, not options.no_crc, on_entry, options.shared)
        reader.run()
    if options.summary:
        print(json.dumps(reader.summary()))
    out.flush()
    for item in reader.problems:
        print(f'{options.file}: offset {item["offset"]}: {item["problem"]}', file=sys.stderr)
    return 1 if reader.problems else 0


if __name__ == '__main__':
    sys.exit(main())
