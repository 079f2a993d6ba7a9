package agent

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/outrider-go/outrider/internal/suggest"
	"github.com/outrider-go/outrider/queue"
	"github.com/outrider-go/outrider/transport"
)

// query returns the parameters of a request's URL: only those that are allowed,
// each once.
func query(r *http.Request, allowed ...string) (map[string]string, error) {
	given, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, problem(kindInvalid, "the query cannot be read: percent-encode its values")
	}
	values := map[string]string{}
	for name, all := range given {
		switch {
		case !slices.Contains(allowed, name):
			return nil, fieldError(name, "%s", unknownParameter(name, allowed))
		case len(all) > 1:
			return nil, fieldError(name, "is given twice")
		}
		values[name] = all[0]
	}
	return values, nil
}

// unknownParameter is the text of an error about a parameter that a request does not
// have.
func unknownParameter(name string, allowed []string) string {
	const text = "is not a parameter of this request"
	if meant := suggest.Closest(name, allowed); meant != "" {
		return text + ": did you mean " + meant + "?"
	}
	if len(allowed) == 0 {
		return text + ", which takes none"
	}
	return text + ": want " + joinOr(allowed)
}

// states are those that a record in the store can have.
var states = []queue.State{queue.StatePending, queue.StateDeliver, queue.StateRetry, queue.StateDone}

// selection reads the parameters that select messages.
func selection(values map[string]string) (queue.Query, error) {
	q := queue.Query{Profile: values["profile"]}
	err := selectStates(&q, values["state"])
	if err == nil {
		err = selectEndpoint(&q, values["endpoint"])
	}
	if err == nil {
		err = selectPage(&q, values)
	}
	return q, err
}

// selectStates reads states or results, with commas between them.
func selectStates(q *queue.Query, text string) error {
	if text == "" {
		return nil
	}
	for word := range strings.SplitSeq(text, ",") {
		switch {
		case slices.Contains(states, queue.State(word)):
			q.States = append(q.States, queue.State(word))
		case slices.Contains(results, queue.Result(word)):
			q.Results = append(q.Results, queue.Result(word))
		default:
			return fieldError("state", "%q is not a state: want %s, or a result: %s", word, joinOr(states), joinOr(results))
		}
	}
	if len(q.States) > 0 && len(q.Results) > 0 {
		return fieldError("state", "give states or results, not both: results are all of the state done")
	}
	return nil
}

// selectEndpoint reads an endpoint: with a path or a query it selects its
// messages, and otherwise those of the whole destination.
func selectEndpoint(q *queue.Query, text string) error {
	if text == "" {
		return nil
	}
	endpoint, err := readEndpoint("endpoint", text)
	if err != nil {
		return err
	}
	q.Destination = endpoint.Destination() // also of one endpoint: the store finds its messages by that
	if u := endpoint.URL(); u.Path != "" || u.RawQuery != "" || u.Opaque != "" {
		q.Endpoint = endpoint.String()
	}
	return nil
}

// selectPage reads limit and cursor.
func selectPage(q *queue.Query, values map[string]string) error {
	if text, ok := values["limit"]; ok {
		limit, err := strconv.Atoi(text)
		if err != nil || limit < 1 || limit > queue.MaxPage {
			return fieldError("limit", "want a whole number from 1 to %d", queue.MaxPage)
		}
		q.Limit = limit
	}
	if text, ok := values["cursor"]; ok {
		after, err := transport.ParseID(text)
		if err != nil {
			return fieldError("cursor", "is not a cursor: give the one of the page before")
		}
		q.After = after
	}
	return nil
}

// selectResults reads the results to replay, with commas between them.
func selectResults(q *queue.Query, text string) error {
	if text == "" {
		text = string(queue.Dead)
	}
	for word := range strings.SplitSeq(text, ",") {
		result := queue.Result(word)
		if result == queue.Delivered || !slices.Contains(results, result) {
			return fieldError("result", "%q cannot be replayed: want dead, expired or cancelled", word)
		}
		q.Results = append(q.Results, result)
	}
	return nil
}

// selectSince reads an instant, or how long ago it was.
func selectSince(q *queue.Query, text string, now time.Time) error {
	if text == "" {
		return nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		q.Since = now.Add(-ago)
		return nil
	}
	since, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return fieldError("since", "want a time such as 2026-01-31T15:04:05Z, or a duration such as 24h")
	}
	q.Since = since
	return nil
}

// readFlag reads a parameter that is true or false.
func readFlag(values map[string]string, name string) (bool, error) {
	switch values[name] {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, fieldError(name, "want true or false")
}
