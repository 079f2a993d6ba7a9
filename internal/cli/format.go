package cli

import (
	"fmt"
	"strconv"
	"time"
	"unicode"
)

// shortDuration writes a duration with two or three digits: "850 µs", "3.1 ms",
// "12 s", "4m10s", "2h5m", "3d4h".
func shortDuration(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + shortDuration(-d)
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	case d < time.Second:
		return digits(float64(d)/float64(time.Millisecond)) + " ms"
	case d < time.Minute:
		return digits(d.Seconds()) + " s"
	case d < time.Hour:
		return fmt.Sprintf("%dm%ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh%dm", int(d.Hours()), int(d.Minutes())%60)
	default:
		return fmt.Sprintf("%dd%dh", int(d.Hours())/24, int(d.Hours())%24)
	}
}

// digits writes a number below a thousand with at most one decimal.
func digits(f float64) string {
	if f >= 99.95 {
		return strconv.FormatFloat(f, 'f', 0, 64)
	}
	return strconv.FormatFloat(f, 'f', 1, 64)
}

// seconds writes a number of seconds as shortDuration does.
func seconds(s float64) string { return shortDuration(time.Duration(s * float64(time.Second))) }

// milliseconds writes a number of milliseconds as shortDuration does.
func milliseconds(ms float64) string {
	return shortDuration(time.Duration(ms * float64(time.Millisecond)))
}

// ago writes how long ago an instant was, or how far ahead it is; empty for none.
func ago(t, now time.Time) string {
	switch d := now.Sub(t); {
	case t.IsZero():
		return ""
	case d < 0:
		return "in " + shortDuration(-d)
	case d < time.Second:
		return "now"
	default:
		return shortDuration(d) + " ago"
	}
}

// size writes a number of bytes: "512 B", "1.5 KiB".
func size(bytes int64) string {
	if bytes < 1024 {
		return fmt.Sprintf("%d B", bytes)
	}
	value, units := float64(bytes)/1024, []string{"KiB", "MiB", "GiB", "TiB"}
	for value >= 999.5 && len(units) > 1 {
		value, units = value/1024, units[1:]
	}
	return digits(value) + " " + units[0]
}

// count writes a number and its noun: "1 message", "2 messages".
func count[T int | int64](n T, noun string) string {
	if n == 1 {
		return fmt.Sprintf("1 %s", noun)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// clip makes text fit a cell of width characters.
func clip(text string, width int) string {
	runes := []rune(oneLine(text))
	if len(runes) > width {
		return string(runes[:width-1]) + "…"
	}
	return string(runes)
}

// printable puts a space in the place of a control character: text may come from
// a peer and ends on a terminal.
func printable(r rune) rune {
	if unicode.IsControl(r) {
		return ' '
	}
	return r
}
