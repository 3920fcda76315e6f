package gameserver

// CloseRooms ends all rooms, at the deadline of a drain; their players are
// disconnected with the reason. It returns how many there were. Drain tells when
// they have ended.
func (s *Server) CloseRooms(reason string) int {
	s.mu.Lock()
	all := make([]*game, 0, len(s.games))
	for _, g := range s.games {
		all = append(all, g)
	}
	s.mu.Unlock()
	rooms := 0
	for _, g := range all {
		if g.record.Load() != nil && g.fiber.PostAlways(message{kind: closeRoom, text: reason}) {
			rooms++
		}
	}
	return rooms
}
