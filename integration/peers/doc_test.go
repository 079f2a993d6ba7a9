// Package peers tests WebSockets, sessions and what an agent receives against the
// implementations of others: Python's websockets, aiohttp and autobahn, a browser,
// and agents in processes of their own. The programs are those of Debian's
// packages; scripts has what drives them.
package peers
