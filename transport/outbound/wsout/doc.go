// Package wsout delivers messages over WebSocket.
package wsout
