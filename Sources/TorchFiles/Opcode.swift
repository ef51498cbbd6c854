/// The operations of Python's pickle machine. Source: CPython's `Lib/pickletools.py`.
enum Opcode {
  /// All there are, by their code, so that refusals can name them.
  private static let names: [UInt8: String] = {
    var names: [UInt8: String] = [:]
    for word in table.split(separator: " ") {
      let parts = word.split(separator: "=")
      if let code = UInt8(parts[0], radix: 16) { names[code] = String(parts[1]) }
    }
    return names
  }()

  private static let table =
    "28=MARK 2E=STOP 30=POP 31=POP_MARK 32=DUP 46=FLOAT 49=INT 4A=BININT 4B=BININT1 4C=LONG"
    + " 4D=BININT2 4E=NONE 50=PERSID 51=BINPERSID 52=REDUCE 53=STRING 54=BINSTRING"
    + " 55=SHORT_BINSTRING 56=UNICODE 58=BINUNICODE 61=APPEND 62=BUILD 63=GLOBAL 64=DICT"
    + " 7D=EMPTY_DICT 65=APPENDS 67=GET 68=BINGET 69=INST 6A=LONG_BINGET 6C=LIST 5D=EMPTY_LIST"
    + " 6F=OBJ 70=PUT 71=BINPUT 72=LONG_BINPUT 73=SETITEM 74=TUPLE 29=EMPTY_TUPLE 75=SETITEMS"
    + " 47=BINFLOAT 80=PROTO 81=NEWOBJ 82=EXT1 83=EXT2 84=EXT4 85=TUPLE1 86=TUPLE2 87=TUPLE3"
    + " 88=NEWTRUE 89=NEWFALSE 8A=LONG1 8B=LONG4 42=BINBYTES 43=SHORT_BINBYTES"
    + " 8C=SHORT_BINUNICODE 8D=BINUNICODE8 8E=BINBYTES8 8F=EMPTY_SET 90=ADDITEMS 91=FROZENSET"
    + " 92=NEWOBJ_EX 93=STACK_GLOBAL 94=MEMOIZE 95=FRAME 96=BYTEARRAY8 97=NEXT_BUFFER"
    + " 98=READONLY_BUFFER"

  static func name(of code: UInt8) -> String {
    names[code] ?? "0x\(String(code, radix: 16, uppercase: true))"
  }
}
