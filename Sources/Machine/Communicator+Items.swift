extension Communicator {
  /// Hands items to all other ranks, a few at a time: the messages of one round are in memory beside the items.
  /// - Parameters:
  ///   - own: of this rank.
  ///   - size: bytes with which a message is full.
  ///   - write: puts one into a message.
  ///   - receive: takes one of another rank out of a message.
  /// - Throws: as `gather`
  package func hand<Item>(
    _ own: some Sequence<Item>, upTo size: Int = 32 << 20, write: (Item, inout Message) -> Void,
    receive: (inout MessageReader) -> Void
  ) throws(RankFailure) {
    guard count > 1 else { return }
    var rest = own.makeIterator()
    var next = rest.next()
    var isGoingOn = true
    while isGoingOn {
      var message = Message()
      while let item = next, message.bytes.count < size {
        message.append(Sign.item.rawValue)
        write(item, &message)
        next = rest.next()
      }
      message.append(next == nil ? Sign.end.rawValue : Sign.pause.rawValue)
      isGoingOn = false
      for (other, bytes) in try gather(message.bytes).enumerated() {
        var reader = MessageReader(bytes)
        guard other != rank else {
          isGoingOn = isGoingOn || next != nil
          continue
        }
        var sign = reader.integer()
        while sign == Sign.item.rawValue {
          receive(&reader)
          sign = reader.integer()
        }
        isGoingOn = isGoingOn || sign == Sign.pause.rawValue
      }
    }
  }
}

/// What comes next in a message of items.
private enum Sign: Int {
  case end, pause, item
}
