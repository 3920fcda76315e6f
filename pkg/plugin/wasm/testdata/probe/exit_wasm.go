package probe

import "os"

func exit() { os.Exit(3) }
