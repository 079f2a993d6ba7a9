package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// child is this program in a second process, which answers on its output what it
// is asked on its input, line by line, until its input ends.
type child struct {
	command *exec.Cmd
	stdin   io.WriteCloser
	stdout  *bufio.Scanner
}

// startChild starts one that is told by the flag what to be.
func startChild(ctx context.Context, flag string) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{command: exec.CommandContext(ctx, self, flag)} //nolint:gosec // this program itself
	c.command.Stderr = os.Stderr
	if c.stdin, err = c.command.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := c.command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.stdout = bufio.NewScanner(stdout)
	if err := c.command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", flag, err)
	}
	return c, nil
}

// answer reads a line of JSON.
func (c *child) answer(into any) error {
	if !c.stdout.Scan() {
		return errors.Join(errors.New("the second process does not answer"), c.stdout.Err())
	}
	return json.Unmarshal(c.stdout.Bytes(), into)
}

func (c *child) stop() {
	_ = c.stdin.Close() // it ends at the end of its input
	_ = c.command.Wait()
}
