package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/boson-project/boson/pkg/auth"
)

// accounts is a game's own way to know its users.
type accounts struct{ secret string }

func (a accounts) Check(_ context.Context, login *auth.Login) (*auth.Verdict, error) {
	q, err := url.ParseQuery(login.Params)
	if err != nil || q.Get("token") != a.secret {
		return &auth.Verdict{Code: auth.ResultWrongCredentials, Message: "wrong token"}, nil
	}
	return &auth.Verdict{Code: auth.ResultSuccess, UserID: q.Get("user"), Cookie: []byte(`{"rank":5}`)}, nil
}

// A program registers its own kind of provider, which a configuration then names:
// apps.auth.providers: [{kind: accounts, secret: ...}]
func ExampleRegister() {
	auth.Register("accounts", auth.AuthCustom, func(s auth.Settings) (auth.Provider, error) {
		if s.Secret == "" {
			return nil, errors.New("secret is empty")
		}
		return accounts{s.Secret}, nil
	})
	p, typ, err := auth.NewProvider(auth.Settings{Kind: "accounts", Secret: "xyz"})
	if err != nil {
		fmt.Println(err)
		return
	}
	v, _ := p.Check(context.Background(), &auth.Login{Params: "user=ann&token=xyz"})
	fmt.Println(typ, v.Code, v.UserID)
	// Output: 0 1 ann
}
