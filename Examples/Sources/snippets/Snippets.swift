/// `snippets files | adapters`: runs the code of the documentation, in a folder with `model.safetensors` and
/// `adapter.safetensors`.
@main struct Snippets {
  static func main() throws {
    switch CommandLine.arguments.dropFirst() {
    case ["files"]:
      TensorSnippets.run()
      try FileSnippets.run()
    case ["adapters"]:
      try AdapterSnippets.run()
    default:
      print("usage: snippets files | adapters")
    }
  }
}
