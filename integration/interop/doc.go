// Package interop tests against other people's implementations, live and both
// ways: CloudEvents, DIDComm (didcomm-rust) and Standard Webhooks, as they are on
// npm. The versions are in package.json; the tests install them where they are
// missing. They need node, npm and, the first time, the network: without those they
// are skipped, but in CI, where they fail.
package interop
