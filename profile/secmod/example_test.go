package secmod_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/outrider-go/outrider/profile"
	"github.com/outrider-go/outrider/profile/secmod"
	"github.com/outrider-go/outrider/transport"
)

// A module in a file is opened, then unlocked. Its keys sign where they are.
func ExampleFile() {
	dir, err := os.MkdirTemp("", "secmod")
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	module, err := secmod.NewFile(filepath.Join(dir, "keys.json"), secmod.FileOptions{Create: true})
	if err != nil {
		log.Fatal(err)
	}
	if err := module.Open(ctx); err != nil {
		log.Fatal(err)
	}
	if err := module.Unlock(ctx, transport.NewSecret("correct horse battery staple")); err != nil {
		log.Fatal(err)
	}
	no, err := module.CreateKey(ctx, profile.Ed25519)
	if err != nil {
		log.Fatal(err)
	}
	key, err := module.Key(no)
	if err != nil {
		log.Fatal(err)
	}
	signature, err := key.Sign(ctx, []byte("data"))
	if err != nil {
		log.Fatal(err)
	}
	if err := module.Lock(ctx); err != nil {
		log.Fatal(err)
	}
	_, err = key.Sign(ctx, []byte("data"))
	fmt.Println(err)
	fmt.Println(key.Verify(ctx, []byte("data"), signature)) // needs no secret
	fmt.Println(module.Close(ctx))
	fmt.Println(os.RemoveAll(dir))
	// Output:
	// security module is locked
	// <nil>
	// <nil>
	// <nil>
}
