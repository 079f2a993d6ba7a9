//go:build !(linux || darwin || freebsd || netbsd || openbsd)

package wsout

// hungUp knows nothing here: the reader alone notices.
func (w *wire) hungUp() bool { return false }
