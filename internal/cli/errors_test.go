package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/outrider-go/outrider/queue"
)

func TestExitCode(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err  error
		want int
	}{
		"none":          {nil, ExitOK},
		"any":           {errors.New("no"), ExitFailure},
		"usage":         {usagef("no"), ExitUsage},
		"wrapped":       {fmt.Errorf("send: %w", &exitError{ExitNotDelivered, errors.New("no")}), ExitNotDelivered},
		"joined":        {errors.Join(&exitError{ExitNotDelivered, errors.New("no")}, errors.New("stop")), ExitNotDelivered},
		"not found":     {fmt.Errorf("get: %w", queue.ErrNotFound), ExitNotFound},
		"store locked":  {fmt.Errorf("open: %w", queue.ErrLocked), ExitLocked},
		"usage of that": {usagef("open: %w", queue.ErrLocked), ExitUsage},
	}
	for name, test := range tests {
		if got := exitCode(test.err); got != test.want {
			t.Errorf("%s: got %d, want %d", name, got, test.want)
		}
	}
}

// Users are told of all exit codes, with the same words wherever that is.
func TestExitCodesAreTold(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if told := strings.Join(strings.Fields(exitCodes), " "); !strings.Contains(string(readme), told) {
		t.Errorf("the readme lacks %q", told)
	}
	help := shell{}.want(t, ExitOK, "--help").stdout
	for code := ExitOK; code <= ExitIncomplete; code++ {
		if !strings.Contains(help, exitCodes) || !strings.Contains(exitCodes, fmt.Sprintf("%d ", code)) {
			t.Errorf("the help lacks exit code %d:\n%s", code, help)
		}
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		err     error
		stopped bool
		want    string
	}{
		"plain":                      {err: errors.New("no"), want: "outrider: no\n"},
		"usage":                      {err: usagef("no"), want: "outrider: no; see: outrider x --help\n"},
		"several lines":              {err: errors.Join(errors.New("a"), errors.New("b")), want: "outrider: a; b\n"},
		"a fault in a configuration": {err: &exitError{ExitUsage, &configError{errors.New("a")}}, want: "outrider: a; see: outrider x --help\n"},
		"several of them":            {err: &exitError{ExitUsage, &configError{errors.Join(errors.New("a\x1b"), errors.New("b"))}}, want: "outrider: the configuration has 2 faults:\n  a \n  b\nsee: outrider x --help\n"},
		"terminal's commands":        {err: errors.New("a\x1b[2Jb\rc"), want: "outrider: a [2Jb; c\n"},
		"interrupted":                {err: fmt.Errorf("wait: %w", context.Canceled), stopped: true, want: "outrider: wait: interrupted\n"},
		"cancelled by another":       {err: context.Canceled, want: "outrider: context canceled\n"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if test.stopped {
				cancel()
			}
			var b bytes.Buffer
			report(ctx, &b, "outrider x", test.err)
			if got := b.String(); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
