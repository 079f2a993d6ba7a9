package wamp

import (
	"slices"
	"strings"
)

// check reports whether an attribute has a value that it may have.
type check struct {
	want string
	ok   func(v any) bool
}

func isBool(v any) bool { _, ok := v.(bool); return ok }
func isText(v any) bool { _, ok := v.(string); return ok }
func isDict(v any) bool { _, ok := v.(map[string]any); return ok }

func isCount(v any) bool { n, ok := v.(int64); return ok && n >= 0 }
func isID(v any) bool    { n, ok := v.(int64); return ok && n >= 0 && ID(n) <= MaxID }

func isNil(v any) bool { return v == nil }

func isTopic(v any) bool { uri, ok := v.(string); return ok && IsPattern(uri) }

func listOf(each func(any) bool) func(any) bool {
	return func(v any) bool {
		list, ok := v.([]any)
		for _, v := range list {
			ok = ok && each(v)
		}
		return ok
	}
}

func oneOf(values ...string) check {
	return check{"want one of " + strings.Join(values, ", "), func(v any) bool {
		text, ok := v.(string)
		for _, value := range values {
			if ok && text == value {
				return true
			}
		}
		return false
	}}
}

// orCustom takes names that begin with x_ too.
func orCustom(c check) check {
	return check{c.want + ", or a name of your own that begins with x_", func(v any) bool {
		text, _ := v.(string)
		return c.ok(v) || strings.HasPrefix(text, "x_")
	}}
}

var (
	boolean   = check{"want true or false", isBool}
	textual   = check{"want text", isText}
	dict      = check{"want a map", isDict}
	count     = check{"want an integer that is not negative", isCount}
	anID      = check{"want an integer from 0 to 2^53", isID}
	topic     = check{"want a URI", isTopic}
	ids       = check{"want a list of integers from 0 to 2^53", listOf(isID)}
	texts     = check{"want a list of text", listOf(isText)}
	forwarded = check{"want a list of maps with session, authid and authrole", listOf(isForwarder)}
	roles     = check{"want a map of the peer's roles, at least one, each with a map", isRoles}
	matching  = oneOf("exact", "prefix", "wildcard")
)

// isForwarder reports an entry of forward_for.
func isForwarder(v any) bool {
	entry, ok := v.(map[string]any)
	if !ok {
		return false
	}
	session, authid, authrole := entry["session"], entry["authid"], entry["authrole"]
	return (isNil(session) || isID(session)) && (isNil(authid) || isText(authid)) && (isNil(authrole) || isText(authrole))
}

func isRoles(v any) bool {
	all, ok := v.(map[string]any)
	for _, features := range all {
		ok = ok && isDict(features)
	}
	return ok && len(all) > 0
}

type checks map[string]check

// payloadAttributes are those of messages with a payload.
var payloadAttributes = checks{
	"enc_algo":       orCustom(oneOf("cryptobox", "mqtt", "xbr")),
	"enc_serializer": orCustom(oneOf("json", "msgpack", "cbor", "ubjson", "opaque", "flatbuffers")),
	"enc_key":        textual,
	"ppt_scheme":     orCustom(oneOf("wamp", "mqtt")),
	"ppt_serializer": orCustom(oneOf("native", "json", "msgpack", "cbor", "ubjson", "flatbuffers")),
	"ppt_cipher":     textual,
	"ppt_keyid":      textual,
}

// attributes are what the specification, and autobahn, know of options and details.
var attributes = map[Type]checks{
	TypeHello: {
		"roles": roles, "agent": textual, "authmethods": texts, "authid": textual, "authrole": textual, "authextra": dict,
		"resumable": boolean, "resume-session": anID, "resume-token": textual,
	},
	TypeWelcome: {
		"roles": roles, "agent": textual, "realm": textual, "authid": textual, "authrole": textual, "authmethod": textual,
		"authprovider": textual, "authextra": dict, "resumed": boolean, "resumable": boolean, "resume_token": textual,
	},
	TypeAbort:   {"message": textual},
	TypeGoodbye: {"message": textual, "resumable": boolean},
	TypeError:   {"callee": anID, "callee_authid": textual, "callee_authrole": textual, "forward_for": forwarded},
	TypePublish: {
		"acknowledge": boolean, "exclude_me": boolean, "disclose_me": boolean, "retain": boolean,
		"exclude": ids, "exclude_authid": texts, "exclude_authrole": texts,
		"eligible": ids, "eligible_authid": texts, "eligible_authrole": texts,
		"transaction_hash": textual, "forward_for": forwarded,
	},
	TypeSubscribe:    {"match": matching, "get_retained": boolean, "forward_for": forwarded},
	TypeUnsubscribe:  {"forward_for": forwarded},
	TypeUnsubscribed: {"subscription": anID, "reason": textual},
	TypeEvent: {
		"publisher": anID, "publisher_authid": textual, "publisher_authrole": textual, "topic": topic, "retained": boolean,
		"transaction_hash": textual, "x_acknowledged_delivery": boolean, "forward_for": forwarded,
	},
	TypeCall: {
		"timeout": count, "receive_progress": boolean, "progress": boolean, "disclose_me": boolean, "transaction_hash": textual,
		"caller": anID, "caller_authid": textual, "caller_authrole": textual, "forward_for": forwarded,
	},
	TypeCancel: {"mode": oneOf("skip", "abort", "kill", "killnowait"), "forward_for": forwarded},
	TypeResult: {"progress": boolean, "callee": anID, "callee_authid": textual, "callee_authrole": textual, "forward_for": forwarded},
	TypeRegister: {
		"match": matching, "invoke": oneOf("single", "first", "last", "roundrobin", "random", "all"), "concurrency": count,
		"force_reregister": boolean, "disclose_caller": boolean, "forward_for": forwarded,
	},
	TypeUnregister:   {"forward_for": forwarded},
	TypeUnregistered: {"registration": anID, "reason": textual},
	TypeInvocation: {
		"timeout": count, "receive_progress": boolean, "progress": boolean, "procedure": topic, "transaction_hash": textual,
		"caller": anID, "caller_authid": textual, "caller_authrole": textual, "forward_for": forwarded,
	},
	TypeInterrupt: {"mode": oneOf("abort", "kill", "killnowait"), "reason": textual, "forward_for": forwarded},
	TypeYield:     {"progress": boolean, "callee": anID, "callee_authid": textual, "callee_authrole": textual, "forward_for": forwarded},
}

// checkAttributes checks those that are known. One that is null counts as missing.
func checkAttributes(message Type, field string, values Dict) error {
	known := attributes[message]
	if _, missing := known["roles"]; missing && values["roles"] == nil {
		return &ProtocolError{message.String(), field + ".roles", roles.want}
	}
	for name, v := range values {
		c, ok := known[name]
		if !ok && hasPayload(message) {
			c, ok = payloadAttributes[name]
		}
		if ok && v != nil && !c.ok(v) {
			return &ProtocolError{message.String(), field + "." + name, c.want}
		}
	}
	return nil
}

func hasPayload(message Type) bool {
	return slices.Contains([]Type{TypePublish, TypeEvent, TypeCall, TypeResult, TypeInvocation, TypeYield, TypeError}, message)
}
