//go:build unix

package brokers

import (
	"bytes"
	"strings"
	"testing"
)

// TestProtonCodec has Proton encode and decode each document again, so that the
// test data of package amqpjson are what a Proton of today makes.
func TestProtonCodec(t *testing.T) {
	t.Parallel()
	needs(t, protonPeer())
	var documents, encoded bytes.Buffer
	all := composites(t)
	for _, c := range all {
		documents.Write(append(bytes.ReplaceAll(c.JSON, []byte("\n"), nil), '\n'))
		encoded.WriteString(c.AMQP + "\n")
	}
	for i, line := range codec(t, "encode", &documents) {
		if line != all[i].AMQP {
			t.Errorf("%s encodes to %s, and to %s in the test data", all[i].JSON, line, all[i].AMQP)
		}
	}
	for i, line := range codec(t, "decode", &encoded) {
		if !sameJSON(t, []byte(line), all[i].Full) {
			t.Errorf("%s decodes to %s, and to %s in the test data", all[i].AMQP, line, all[i].Full)
		}
	}
}

func codec(t *testing.T, mode string, lines *bytes.Buffer) []string {
	t.Helper()
	n := bytes.Count(lines.Bytes(), []byte("\n"))
	cmd := command(t, pythonOfDebian, "peers/proton_codec.py", mode)
	var said bytes.Buffer
	cmd.Stdin, cmd.Stderr = lines, &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, said.Bytes())
	}
	answers := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(answers) != n {
		t.Fatalf("%d answers to %d lines", len(answers), n)
	}
	return answers
}
