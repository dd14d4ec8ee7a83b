"""Sets how many bytes of its file a loop device shows (0: all): what lies behind them fails with EIO from now on.

    loop_device_limit.py DEVICE BYTES
"""
import fcntl
import struct
import sys

LOOP_SET_STATUS64 = 0x4C04
LOOP_GET_STATUS64 = 0x4C05
INFO_BYTES = 232
SIZE_LIMIT_AT = 32

with open(sys.argv[1], "rb+", buffering=0) as device:
    info = bytearray(INFO_BYTES)
    fcntl.ioctl(device, LOOP_GET_STATUS64, info)
    struct.pack_into("<Q", info, SIZE_LIMIT_AT, int(sys.argv[2]))
    fcntl.ioctl(device, LOOP_SET_STATUS64, bytes(info))
