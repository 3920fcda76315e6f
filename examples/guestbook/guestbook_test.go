package guestbook

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/boson-project/boson/pkg/app"
	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/photon"
	"github.com/boson-project/boson/pkg/transport"
)

func TestGuestbook(t *testing.T) {
	server := app.NewServer(app.Options{Name: "guestbook", Logger: zerolog.Nop(), Listen: []app.Listen{
		{Kind: transport.UDP, Addr: "127.0.0.1:0"}, {Kind: transport.TCP, Addr: "127.0.0.1:0"},
	}}, New())
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			t.Error(err)
		}
	})

	signed := make(chan string, 1)
	reader, err := client.Dial(ctx, client.Options{Transport: client.UDP, OnEvent: func(e *client.Event) {
		name, _ := e.String(ParamName)
		signed <- name
	}}, server.Bound()[0].Addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	writer, err := client.Dial(ctx, client.Options{Transport: client.TCP, Protocol: photon.GpBinaryV16}, server.Bound()[1].Addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()

	// The reader is in the book's list once it has an answer.
	if _, err := reader.Operation(ctx, OpRead, nil); err != nil {
		t.Fatal(err)
	}
	r, err := writer.Operation(ctx, OpSign, photon.Params{photon.Param(ParamName, "Ann"), photon.Param(ParamText, "lovely")})
	if err != nil || r.ReturnCode != photon.ReturnOk {
		t.Fatal(r, err)
	}
	select {
	case name := <-signed:
		if name != "Ann" {
			t.Errorf("%q signed", name)
		}
	case <-ctx.Done():
		t.Fatal("no event")
	}
	r, err = reader.Operation(ctx, OpRead, photon.Params{photon.Param(ParamCount, int32(5))})
	if err != nil {
		t.Fatal(err)
	}
	if lines, _ := r.Strings(ParamEntries); !reflect.DeepEqual(lines, []string{"Ann: lovely"}) {
		t.Errorf("the book says %q", lines)
	}
	if r, err = writer.Operation(ctx, OpSign, photon.Params{photon.Param(ParamName, "Bob")}); err == nil && r.ReturnCode != photon.ReturnInvalidOperation {
		t.Errorf("signing without a text: %+v", r)
	}
}
