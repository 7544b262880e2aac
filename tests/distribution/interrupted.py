"""The command, which is interrupted after three epochs.

python -m tests.distribution.interrupted train ...
"""

import sys

from keras_mixvit.cli import _main as cli
from keras_mixvit.training._recorder import Recorder

EPOCHS = 3


class Interrupted(Recorder):
    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        if epoch + 1 == EPOCHS:
            raise KeyboardInterrupt


if __name__ == "__main__":
    sys.modules["keras_mixvit.training._fit"].Recorder = Interrupted
    sys.exit(cli.main(sys.argv[1:]))
