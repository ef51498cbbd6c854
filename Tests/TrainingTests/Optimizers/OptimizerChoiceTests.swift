import Testing

@testable import Training

@Suite struct OptimizerChoiceTests {
  @Test(arguments: [
    ("adamw", "torch.optim.adamw.AdamW"), ("", "torch.optim.adamw.AdamW"),
    ("torch.optim.AdamW", "torch.optim.adamw.AdamW"),
    ("bitsandbytes.optim.AdamW8bit", "bitsandbytes.optim.adamw.AdamW8bit"),
    ("PagedAdamW8bit", "bitsandbytes.optim.adamw.PagedAdamW8bit"),
    ("PAGEDADAMW32BIT", "bitsandbytes.optim.adamw.PagedAdamW32bit"),
    ("lion_pytorch.Lion", "lion_pytorch.lion_pytorch.Lion"),
    ("transformers.optimization.Adafactor", "transformers.optimization.Adafactor"),
    ("prodigyopt.Prodigy", "prodigyopt.prodigy.Prodigy"),
    ("dadaptation.DAdaptAdam", "dadaptation.dadapt_adam.DAdaptAdam"),
    ("schedulefree.AdamWScheduleFree", "schedulefree.adamw_schedulefree.AdamWScheduleFree"),
    ("SGDNesterov", "torch.optim.sgd.SGD"), ("came_pytorch.CAME", "came_pytorch.CAME.CAME"),
    ("CAME", "came_pytorch.CAME.CAME"),
    ("RAdamScheduleFree", "schedulefree.radam_schedulefree.RAdamScheduleFree"),
    ("schedulefree.SGDScheduleFree", "schedulefree.sgd_schedulefree.SGDScheduleFree"),
  ])
  func namesAndPathsAreKnown(name: String, className: String) throws {
    #expect(try OptimizerChoice(named: name).className == className)
  }

  @Test func unknownNamesGetASuggestion() {
    let error = #expect(throws: SettingError.self) { try OptimizerChoice(named: "AdamW8bits") }
    #expect(
      error?.description
        == "'--optimizer_type': unknown name 'AdamW8bits'; did you mean 'AdamW8bit'?")
    #expect(throws: SettingError.self) { try OptimizerChoice(named: "my.own.AdamW") }
    for name in ["DAdaptAdan", "Adan", "Ranger", "AdEMAMix8bit", "pytorch_optimizer.Adan"] {
      let absent = #expect(throws: SettingError.self) { try OptimizerChoice(named: name) }
      #expect(absent?.description.contains("which is not built in") == true, "\(name)")
    }
  }

  @Test func argumentsAreCheckedStrictly() throws {
    func message(_ name: String, _ arguments: String...) -> String? {
      do {
        _ = try OptimizerChoice(named: name, arguments: arguments)
        return nil
      } catch {
        return error.description
      }
    }
    #expect(
      message("AdamW", "weight_decy=0.1")
        == "'--optimizer_args': AdamW has no option 'weight_decy'; did you mean 'weight_decay'?")
    #expect(
      message("AdamW", "weight_decay")
        == "'--optimizer_args': expected key=value, found 'weight_decay'")
    #expect(
      message("AdamW", "weight_decay=much")?.contains("expected a number from 0.0 on, found 'much'")
        == true)
    #expect(message("AdamW", "betas=0.9")?.contains("two numbers as 0.9,0.99") == true)
    #expect(message("AdamW", "betas=0.9,1.5")?.contains("below 1") == true)
    #expect(message("Prodigy", "decouple=yes")?.contains("True or False") == true)
    #expect(message("AdamWScheduleFree", "warmup_steps=1.5")?.contains("an integer") == true)
    #expect(
      message("Adafactor", "relative_step=False", "warmup_init=True")?.contains(
        "needs relative_step") == true)
    // As Python and shells write them.
    for betas in ["betas=0.9,0.99", "betas=(0.9, 0.99)", "betas=[0.9,0.99]", "betas = .9,.99"] {
      #expect(message("AdamW", betas, "eps=1e-08", "weight_decay=1_0", "foreach=False") == nil)
    }
    #expect(message("Prodigy", "beta3=None", "growth_rate=inf") == nil)
    #expect(message("Adafactor", "beta1=None", "eps=(1e-30, 1e-3)", "decay_rate=-0.8") == nil)
  }

  @Test func literalsAreThoseOfPython() {
    #expect(PythonLiteral("1e-4") == .number(1e-4))
    #expect(PythonLiteral(" True ") == .bool(true))
    #expect(PythonLiteral("None") == PythonLiteral.none)
    #expect(PythonLiteral("'a,b'") == .string("a,b"))
    #expect(PythonLiteral("(1,)") == .tuple([.number(1)]))
    #expect(PythonLiteral("word") == .string("word"))
    #expect(PythonLiteral("") == nil)
  }
}
