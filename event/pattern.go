package event

import (
	"fmt"
	"regexp"
)

// Pattern selects topics. Make one with [ParsePattern].
type Pattern struct{ expression *regexp.Regexp }

// ParsePattern reads a pattern as [Bus.Subscribe] takes it. The error is [ErrPattern].
func ParsePattern(text string) (*Pattern, error) {
	if text == "" {
		return nil, fmt.Errorf("%w: it is empty, use .* for every topic", ErrPattern)
	}
	expression, err := regexp.Compile(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPattern, err)
	}
	expression.Longest() // the first match is the whole topic if any match is
	return &Pattern{expression}, nil
}

// Match reports whether the pattern matches the whole topic.
func (p *Pattern) Match(topic string) bool {
	at := p.expression.FindStringIndex(topic)
	return at != nil && at[0] == 0 && at[1] == len(topic)
}

// String returns the text of the pattern.
func (p *Pattern) String() string { return p.expression.String() }
