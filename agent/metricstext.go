package agent

import (
	"slices"
	"strconv"
	"strings"
)

// typeMetrics is the media type of Prometheus' text format.
const typeMetrics = "text/plain; version=0.0.4; charset=utf-8"

// metricsText writes metrics in Prometheus' text format, one family after the other.
type metricsText struct{ text []byte }

// label is a name and the value of a metric by it.
type label struct{ name, value string }

var (
	escapeHelp  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	escapeLabel = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

// family begins a family: what its samples are, and "counter", "gauge" or "summary".
func (m *metricsText) family(name, kind, help string) {
	m.text = append(m.text, "# HELP "+name+" "+escapeHelp.Replace(help)+"\n# TYPE "+name+" "+kind+"\n"...)
}

// sample writes a number of the family that was begun last.
func (m *metricsText) sample(name string, value float64, labels ...label) {
	m.text = append(m.text, name...)
	separator := byte('{')
	for _, l := range labels {
		m.text = append(m.text, separator)
		separator = ','
		m.text = append(m.text, l.name+`="`+escapeLabel.Replace(strings.ToValidUTF8(l.value, "\uFFFD"))+`"`...)
	}
	if len(labels) > 0 {
		m.text = append(m.text, '}')
	}
	m.text = append(m.text, ' ')
	m.text = strconv.AppendFloat(m.text, value, 'g', -1, 64)
	m.text = append(m.text, '\n')
}

// with returns labels and more of them.
func with(labels []label, more ...label) []label { return slices.Concat(labels, more) }
