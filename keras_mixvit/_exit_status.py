"""Exit statuses of the command, beside 0 and 1."""

# As shells give to signals: 128 and the number of SIGINT.
INTERRUPTED = 130
# 128 and the number of SIGPIPE, which ends programs whose reader has ended.
CLOSED_PIPE = 141
# Of a prediction that answered all images but some that could not be read; argparse
# takes 2.
UNREAD = 3
