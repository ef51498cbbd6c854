import CCrypto

/// SHA-256 over bytes that come in pieces, by libcrypto.
@safe package struct SHA256: ~Copyable {
  private let context: OpaquePointer

  package init() {
    guard let context = unsafe EVP_MD_CTX_new() else { preconditionFailure("out of memory") }
    unsafe self.context = context
    let started = unsafe EVP_DigestInit_ex(context, EVP_sha256(), nil)
    precondition(started == 1, "libcrypto has no SHA-256")
  }

  deinit { unsafe EVP_MD_CTX_free(context) }

  package func update(_ bytes: borrowing RawSpan) {
    unsafe bytes.withUnsafeBytes {
      _ = unsafe EVP_DigestUpdate(context, $0.baseAddress, $0.count)
    }
  }

  /// The bytes of a text in UTF-8.
  package func update(_ text: String) {
    unsafe update(Array(text.utf8).span.bytes)
  }

  /// The digest of everything so far, in lower-case hexadecimal digits.
  package consuming func finish() -> String {
    var digest = [UInt8](repeating: 0, count: 32)
    unsafe digest.withUnsafeMutableBufferPointer {
      _ = unsafe EVP_DigestFinal_ex(context, $0.baseAddress, nil)
    }
    return digest.map { byte in
      let digits = String(byte, radix: 16)
      return digits.count == 1 ? "0" + digits : digits
    }.joined()
  }
}
