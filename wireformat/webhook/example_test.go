package webhook_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"time"

	"github.com/outrider-go/outrider/transport"
	"github.com/outrider-go/outrider/wireformat/webhook"
)

// A receiver reads the body as it came, and believes it once it is verified.
func ExampleVerifier() {
	secret := transport.NewSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	verifier, err := webhook.NewVerifier(webhook.VerifierOptions{}, secret)
	if err != nil {
		log.Fatal(err)
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		id, err := verifier.VerifyRequest(r.Header, body)
		if err != nil {
			http.Error(w, "not verified", http.StatusUnauthorized)
			return
		}
		_, _ = fmt.Fprintf(w, "took %s", id) // once: remember the id
	})

	signer, err := webhook.NewSigner(secret)
	if err != nil {
		log.Fatal(err)
	}
	const body = `{"event":"created"}`
	now := time.Now()
	signature, err := signer.Sign("msg_1", now, []byte(body))
	if err != nil {
		log.Fatal(err)
	}
	for _, sent := range []string{body, `{"event":"deleted"}`} {
		request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(sent))
		request.Header.Set(webhook.HeaderID, "msg_1")
		request.Header.Set(webhook.HeaderTimestamp, strconv.FormatInt(now.Unix(), 10))
		request.Header.Set(webhook.HeaderSignature, signature)
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, request)
		fmt.Println(response.Code, strings.TrimSpace(response.Body.String()))
	}
	// Output:
	// 200 took msg_1
	// 401 not verified
}
