// Package strictjson reads JSON of which two readers must not read two different
// things: names that come twice are an error at any level, so are names that are
// only alike, too much nesting, and what is not UTF-8. Errors never repeat the
// text.
package strictjson
