package cluster

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/boson-project/boson/pkg/client"
	"github.com/boson-project/boson/pkg/config"
	"github.com/boson-project/boson/pkg/photon"
)

// The operator's limits of lists and lobbies, on the wire. LB-094, LB-132
func TestLobbyLimitsOfOperator(t *testing.T) {
	up := Start(t, func(c *config.Config) {
		c.Master.ListLimit, c.Master.GameListLimit, c.Master.MaxLobbies, c.Master.LobbyStatsLimit = 2, 2, 3, 2
		c.Master.ListInterval = 20 * time.Millisecond
	})
	f := Forms[3]
	sql := &client.TypedLobby{Name: "s", Type: client.SQLLobby}
	listed := func(o *client.RoomOptions) {
		o.CustomRoomProperties = map[string]any{"C0": int32(1)}
		o.CustomRoomPropertiesForLobby = []string{"C0"}
	}
	for i := range 3 {
		host(t, up, f, fmt.Sprint("d", i), fmt.Sprint("default ", i), nil, nil)
		host(t, up, f, fmt.Sprint("s", i), fmt.Sprint("sql ", i), sql, listed)
	}
	m := onMaster(t, up, f, "m")
	m.rooms("", client.DefaultLobby, 3)
	m.rooms("s", client.SQLLobby, 3)
	m.ok(photon.OpJoinLobby)
	first := rows(t, m.event(photon.EventGameList))
	if len(first) != 2 {
		t.Errorf("a list of %d rooms", len(first))
	}
	table, ok := m.ok(photon.OpGetGameList, photon.Param(photon.ParamLobbyName, "s"), photon.Param(photon.ParamLobbyType, byte(2)),
		photon.Param(photon.ParamData, "C0 = 1")).Table(photon.ParamGameList)
	if !ok || table.Len() != 2 {
		t.Errorf("an answer of %v rooms", table)
	}
	m.ok(photon.OpJoinLobby, photon.Param(photon.ParamLobbyName, "third"))
	refused(t, "a fourth lobby", m.ask(photon.OpJoinLobby, photon.Param(photon.ParamLobbyName, "fourth")), photon.ReturnInvalidOperation)
	refused(t, "a room there", m.ask(photon.OpCreateGame, photon.Param(photon.ParamLobbyName, "fourth")), photon.ReturnInvalidOperation)
	if names, _ := m.ok(photon.OpGetLobbyStats).Strings(photon.ParamLobbyName); len(names) != 2 {
		t.Errorf("statistics of %q", names)
	}
}

// A filter that can't be read is refused with the place where it went wrong. LB-129
func TestBadFilterNamesThePlace(t *testing.T) {
	up := Start(t, nil)
	m := onMaster(t, up, Forms[3], "m")
	for filter, place := range map[string]string{"C0 = 1 AND C1 ==== 2": "16", "C0 = 'open": "5", "C0 = 1; C0 = 2 OR DROP": "18"} {
		for op, param := range map[photon.OpCode]photon.ParamCode{photon.OpJoinRandomGame: photon.ParamData, photon.OpGetGameList: photon.ParamData} {
			if op == photon.OpGetGameList && strings.Contains(filter, ";") {
				continue
			}
			r := m.ask(op, photon.Param(photon.ParamLobbyName, "s"), photon.Param(photon.ParamLobbyType, byte(2)), photon.Param(param, filter))
			if r.ReturnCode != photon.ReturnInvalidOperation || !strings.Contains(r.Debug, place) {
				t.Errorf("%s %s: %d %q, want the place %s", op, filter, r.ReturnCode, r.Debug, place)
			}
		}
	}
}
