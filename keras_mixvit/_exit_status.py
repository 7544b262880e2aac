"""Exit statuses of the command besides 0 and 1, as shells define them for signals."""

# 128 plus the number of SIGINT.
INTERRUPTED = 130
# 128 plus the number of SIGPIPE, which ends programs whose reader has ended.
CLOSED_PIPE = 141
# `predict` could not read some images, and answered the others. argparse uses 2.
UNREAD = 3
