//! The words and phrases that a score is computed from, by class, in about twenty languages. A feature is a
//! combination of classes.

/// The class of a word or phrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// "Ignore", "forget".
    Override,
    /// "Previous", "all": the rules that are to be ignored.
    Prior,
    Rules,
    /// "No longer apply".
    Void,
    NewRules,
    RoleChange,
    /// "I am your developer".
    Authority,
    /// The start of a message of another role, such as "system:".
    FakeMessage,
    /// Delimiters of chat templates and prompts.
    Template,
    Send,
    /// Passwords and other data worth stealing.
    Valuable,
    Address,
    Reveal,
    OwnPrompt,
    Secrecy,
    /// "Call", "delete": the use of a tool.
    Run,
    Tool,
    /// "You must", "immediately".
    Demand,
    Destructive,
    /// "If you are an AI".
    ToModel,
    Model,
    Encoding,
    Obey,
    ForcedAnswer,
    /// The start of an image in Markdown or HTML.
    Picture,
    /// A query parameter that can carry data.
    Query,
    /// Words of texts about injection, which lower the score.
    Discussion,
    /// Quotation marks, which lower the score.
    Quoted,
}

/// A stem or phrase in lower case.
pub(crate) struct Term {
    pub(crate) text: &'static str,
    /// Whether no letter may follow; written as a `$` at the end of the term.
    is_whole: bool,
}

impl Term {
    pub(crate) fn new(word: &'static str) -> Self {
        let word = word.trim_matches([' ', '\n']);
        match word.strip_suffix('$') {
            Some(text) => Self {
                text,
                is_whole: true,
            },
            None => Self {
                text: word,
                is_whole: false,
            },
        }
    }

    /// Whether the match begins a word, and also ends one if the term must be a whole word. Scripts without
    /// spaces, such as Chinese and Thai, have no such borders.
    pub(crate) fn stands_alone(&self, text: &str, start: usize, end: usize) -> bool {
        let is_letter = |c: char| {
            c.is_alphanumeric() && !matches!(c, '\u{E00}'..='\u{EFF}' | '\u{3040}'..='\u{9FFF}')
        };
        let has_border = self.text.starts_with(is_letter);
        let continues_word = has_border && text[..start].ends_with(is_letter);
        let word_goes_on = self.is_whole && text[end..].starts_with(is_letter);
        !continues_word && !word_goes_on
    }
}

/// The terms of each class, separated by commas. A term without `$` matches all words that begin with it.
/// Texts are cleaned before they are scored, and cleaning replaces the `<` of a tag by `‹`.
pub(crate) const LEXICON: [(Class, &str); 28] = [
    (Class::Override, "ignore,ignoring,disregard,forget$,override,overrule,bypass,discard,do not follow,don't follow,
        stop following,pay no attention,no longer follow,set aside,skip the,cancel all,dismiss,
        ignoriere,vergiss,vergessen sie,missachte,ignora$,ignorar,ignorad,ignoren,olvida,olvide,descarta,omite,
        oublie,oubliez,ignorez,ne tiens pas compte,ne tenez pas compte,esqueça,esquece,desconsidere,dimentica,ignorate,
        игнорируй,игнорируйте,забудь,забудьте,проигнорируй,не следуй,忽略,无视,無視,忘记,忘記,忘掉,忘れて,忘れろ,従わない,
        무시하,무시해,잊어,تجاهل,انس$,görmezden gel,yok say,unut$,zignoruj,zapomnij,pomiń,negeer,vergeet,abaikan,lupakan,
        अनदेखा,नज़रअंदाज़,भूल जा,bỏ qua,quên,התעלם,שכח,ігноруй,забудь"),
    (Class::Prior, "previous,prior$,above,earlier,preceding,foregoing,all$,any$,every$,everything,your$,initial,original,system,
        existing,current,those,safety,
        vorherig,bisherig,vorangegangen,obige,alle$,deine,ihre$,anterior,previ,todas,todos,sus$,tus$,précédent,toutes,
        tous$,vos$,tes$,ci-dessus,prévu,antigas,suas$,precedent,tutte,tue$,предыдущ,прежн,все$,всех,свои,выше,之前,以前,
        以上,先前,上述,所有,你的,前の,上記,これまで,すべて,全て,이전,위의,모든,السابق,جميع,كل$,أعلاه,önceki,tüm$,yukarıdaki,
        poprzedni,wszystkie,powyższe,vorige,eerdere,alle$,bovenstaande,sebelumnya,semua,पिछले,सभी,trước,mọi$,tất cả,
        הקודמות,попередні,всі$"),
    (Class::Rules, "instruction,rules,guideline,directive,policy,policies,constraint,restriction,safeguard,prompt,orders$,
        commands$,training,programming,safety filter,guardrail,told$,been given,context,
        anweisung,regeln,vorgaben,richtlinien,instruccion,reglas,órdenes,directrices,indicaciones,instruções,regras,orientações,
        règles,consignes,directives,istruzioni,regole,direttive,инструкци,правил,указани,指令,指示,规则,規則,提示词,提示,命令,
        ルール,プロンプト,지시,지침,명령,규칙,프롬프트,تعليمات,التعليمات,القواعد,الأوامر,talimat,kurallar,instrukcj,poleceni,
        zasady,instructies,regels,instruksi,perintah,aturan,निर्देश,नियम,hướng dẫn,chỉ dẫn,quy tắc,lệnh,ההוראות,הוראות,інструкці"),
    (Class::Void, "no longer apply,no longer valid,do not apply,don't apply,are void,is void,null and void,suspended,are disabled,
        are lifted,are cancelled,are canceled,superseded,supersede,obsolete,out of date,gelten nicht mehr,aufgehoben,
        ya no se aplican,ya no valen,ne s'appliquent plus,não se aplicam,больше не действу,отменены,不再适用,作废,無効"),
    (Class::NewRules, "new instruction:,new instructions:,new instructions from,updated instructions:,new directive:,new task:,your new task,your real task,your actual task,
        your true task,your task now,instead you must,instead you should,instead do the following,instead do this,
        follow these instructions,follow the instructions below,following instructions instead,important instruction,
        your only task,your new goal,your new objective,neue anweisung,deine neue aufgabe,nueva instrucci,nuevas instrucci,
        tu nueva tarea,nouvelle instruction,nouvelles instruction,ta nouvelle tâche,votre nouvelle tâche,novas instruç,
        nova instrução,nuove istruzioni,nuova istruzione,новая инструкция,новые инструкции,твоя новая задача,新指令,新的指令,
        新しい指示,새로운 지시,새 지시,التعليمات الجديدة,تعليمات جديدة,yeni talimat,nowe instrukcje,nieuwe instructie,instruksi baru"),
    (Class::RoleChange, "you are now,you're now,from now on you,act as if,act as a$,act as an$,act as dan,act as the,
        pretend to be,pretend you,pretend that you,roleplay as,role-play as,play the role,you will be playing,assume the role,
        take on the persona,enter developer mode,developer mode enabled,developer mode,god mode,jailbreak mode,do anything now,
        dan mode,unrestricted mode,debug mode,maintenance mode,without any restrictions,no restrictions,no ethical,
        unfiltered,you have no limits,switch to admin,switch into,du bist jetzt,du bist nun,ab jetzt bist du,
        ahora eres,a partir de ahora eres,tu es maintenant,vous êtes maintenant,você agora é,agora você é,a partir de agora você,
        ora sei,adesso sei,теперь ты,с этого момента ты,你现在是,现在你是,從現在起你,从现在起你,从现在开始你,あなたは今,今からあなたは,
        지금부터 너는,지금부터 당신은,أنت الآن,artık sen,sen artık,jesteś teraz,od teraz jesteś,je bent nu,kamu sekarang,anda sekarang,
        अब तुम,अब आप,bây giờ bạn là,עכשיו אתה"),
    (Class::Authority, "i am your developer,i am the developer,i'm your developer,i am your creator,i am your administrator,
        i am the administrator,i am the admin,i am your admin,i am the system administrator,as your administrator,
        as the administrator,as your developer,this is your developer,this is the system administrator,message from openai,
        message from anthropic,message from the system,message from your developer,message from the developers,
        on behalf of openai,on behalf of anthropic,anthropic staff,openai staff,authorized by the,authorised by the,
        security team authorized,admin override,administrator override,system override,override code,ich bin dein entwickler,
        ich bin der administrator,soy tu desarrollador,soy el administrador,je suis ton développeur,je suis l'administrateur,
        sou o administrador,sono l'amministratore,я твой разработчик,я администратор,我是你的开发者,我是管理员,私はあなたの開発者,
        私は管理者,나는 관리자,أنا المطور,أنا المسؤول"),
    (Class::FakeMessage, "system:,assistant:,human:,system message:,system prompt:,system notice:,system note:,
        [system],(system),<system>,‹system,### system,### instruction,##instruction,# instruction,begin instructions,
        end of document,end of data,end of input,end of user input,end of untrusted,end of context,end of file content,
        -----begin,[admin],[developer],[end,###end,### end,<!-- instruction,<!-- ai,<!-- note to,role: system,\"role\": \"system\",
        role\":\"system,systemnachricht:,mensaje del sistema:,message système:,сообщение системы:,系统消息,系统提示,
        システムメッセージ,시스템 메시지"),
    (Class::Template, "‹|,‹｜,<|im_,<|end,<|start,<|sys,<|assistant,‹s>,‹/s>,⟦inst,⟦/inst,⟦ inst,⟦sys,<‹sys,‹/sys,‹start_of_turn,
        ‹end_of_turn,‹untrusted,‹/untrusted,‹ /untrusted,‹ / untrusted,‹tool_,‹function_,‹assistant,‹system,‹/system,‹invoke,
        ‹im_,‹/tool,‹/function,‹think,‹/think"),
    (Class::Send, "send$,send the,send all,send it,sending,post$,post the,upload,forward$,forward the,forward all,email$,email the,email it,mail$,
        leak$,transmit,exfiltrate,submit$,append$,append the,encode$,embed$,include$,put$,copy$,paste,attach,share$,share the,
        fetch,visit,curl,wget,sende,schicke,leite,envía,envia,manda$,reenvía,sube$,envoie,envoyez,transmets,transfère,
        envie$,mande$,invia$,inoltra,отправь,отправьте,перешли,пришли,发送,發送,上传,转发,送信,送って,転送,보내,전송,أرسل,إرسال,
        gönder,wyślij,prześlij,stuur,verstuur,kirim,भेज,gửi$,שלח"),
    (Class::Valuable, "password,passphrase,api key,api_key,apikey,api-key,secret key,secrets$,credential,access token,auth token,
        bearer token,session token,token$,tokens$,private key,ssh key,id_rsa,.ssh,.env$,environment variable,env var,/etc/passwd,
        conversation history,chat history,conversation so far,this conversation,entire conversation,full conversation,
        user's data,user data,personal data,customer data,credit card,confidential,internal documents,contents of your,
        system prompt,previous messages,private messages,cookies,wallet,seed phrase,all files,every file,ssn$,
        passwort,kennwort,zugangsdaten,schlüssel,gesprächsverlauf,contraseña,clave$,credenciales,historial,mot de passe,
        mots de passe,identifiants,clé api,historique,senha,credenciais,chave,parola d'ordine,credenziali,chiave,пароль,пароли,
        ключ,переписк,учетные данные,密码,密碼,密钥,凭据,对话记录,聊天记录,パスワード,秘密鍵,apiキー,会話履歴,비밀번호,암호,대화 기록,api 키,
        كلمة المرور,كلمات المرور,المفتاح,المحادثة,şifre,parola,hasło,hasła,wachtwoord,kata sandi,पासवर्ड,mật khẩu,סיסמה"),
    (Class::Address, "http://,https://,//,@,ftp://,webhook,www."),
    (Class::Reveal, "reveal,print$,print out,print your,print the,repeat$,repeat your,repeat the,repeat everything,show me,show your,show the,output your,output the,output all,
        display,tell me your,tell me the,what is your,what are your,what were your,disclose,leak your,write out,list your,recite,
        copy everything,translate your,summarize your,summarise your,give me your,zeige,nenne,gib deine,wiederhole,
        muestra,revela,repite,dime,affiche,révèle,répète,montre,mostre,revele,repita,mostra$,rivela,ripeti,покажи,выведи,раскрой,
        повтори,显示,透露,输出,告诉我,重复,表示して,教えて,公開,출력,보여,알려,اعرض,اكشف,أظهر,göster,pokaż,ujawnij,toon,tunjukkan,
        दिखा,बता,hiển thị,tiết lộ"),
    (Class::OwnPrompt, "system prompt,your prompt,your instructions,your initial instructions,initial prompt,original prompt,
        hidden prompt,hidden instructions,secret instructions,internal instructions,your rules,your guidelines,your configuration,
        developer message,everything above,text above,words above,all of the above,your context,your system message,
        initialization,above this line,you were given,you have been given,systemprompt,system-prompt,deine anweisungen,
        deinen prompt,prompt del sistema,tus instrucciones,tus reglas,invite système,prompt système,tes instructions,vos instructions,
        prompt do sistema,suas instruções,prompt di sistema,tue istruzioni,системный промпт,системную подсказку,
        свои инструкции,твои инструкции,系统提示,你的提示,你的指令,システムプロンプト,시스템 프롬프트,موجه النظام,تعليماتك,sistem istemi,
        sistem komutu,prompt systemowy,systeeminstructie,prompt sistem,सिस्टम प्रॉम्प्ट"),
    (Class::Secrecy, "do not tell the user,don't tell the user,do not inform the user,don't inform the user,do not mention this,
        don't mention this,do not mention that,do not mention these,don't mention these,never mention this,without telling,
        without informing,without mentioning,without the user,without asking the user,without asking for,without confirmation,
        do not ask for,don't ask for confirmation,do not notify,do not alert,keep this secret,keep this hidden,
        keep this between us,do not reveal this,do not disclose this,do not let the user,user must not know,
        user should not know,user does not need to know,hide this from,silently,say nothing about,do not warn,don't warn,do not log this,
        sag dem nutzer nichts,erwähne das nicht,ohne den nutzer,ohne zu fragen,ohne rückfrage,no se lo digas,no le digas al usuario,
        no informes al usuario,sin avisar,sin decir,sin preguntar,ne le dis pas,ne dis pas à l'utilisateur,sans prévenir,
        sans demander,sans en informer,não diga ao usuário,não informe,sem avisar,non dirlo,senza avvisare,senza chiedere,
        не говори пользователю,не сообщай,не упоминай,без подтверждения,不要告诉用户,不要提及,别告诉,ユーザーには言わない,
        ユーザーに知らせ,사용자에게 말하지,사용자에게 알리지,لا تخبر المستخدم,دون إخبار,kullanıcıya söyleme,nie mów użytkownikowi,
        vertel de gebruiker niet,jangan beri tahu,उपयोगकर्ता को मत"),
    (Class::Run, "call$,call the,run$,run the,execute,invoke,use the,trigger,launch,delete,remove all,drop table,transfer,purchase,buy$,approve,merge$,
        grant,führe,rufe,lösche,überweise,ejecuta,llama a,borra,elimina,transfiere,exécute,appelle,supprime,execute,apague,
        esegui,cancella,запусти,выполни,вызови,удали,переведи,执行,运行,调用,删除,转账,実行,呼び出し,削除,실행,호출,삭제,نفذ,
        شغل,احذف,çalıştır,sil$,wykonaj,uruchom,usuń,voer,verwijder,jalankan,hapus,चला,हटा,chạy,xóa"),
    (Class::Tool, "tool$,tools$,function$,shell$,bash$,command$,terminal,script$,_file,file$,files$,database,_email,email$,payment,
        pull request,repository,account,money,bank,branch,_command,admin$,werkzeug,befehl,datei,konto,herramienta,comando,
        archivo,cuenta,outil,commande,fichier,compte,ferramenta,arquivo,conta$,strumento,инструмент,команд,файл,счет,счёт,
        工具,命令,文件,账户,ツール,コマンド,ファイル,도구,명령어,파일,أداة,الأمر,الملف,الملفات,araç,komut,dosya,narzędzi,polecenie,plik,
        hulpmiddel,bestand,alat,berkas,टूल,फ़ाइल,công cụ,tệp"),
    (Class::Demand, "you must,must$,immediately,right now,now$,before answering,before you answer,before responding,before doing anything,
        at once,do not ask,don't ask,without asking,without confirm,required to,you need to,you should,you have to,instructed to,
        first call,always$,mandatory,urgent,sofort,du musst,zuerst,inmediatamente,ahora mismo,debes,immédiatement,maintenant,
        tu dois,vous devez,imediatamente,agora mesmo,deve$,subito,devi$,немедленно,сейчас же,ты должен,сначала,立即,马上,必须,
        先$,すぐに,今すぐ,必ず,즉시,지금,반드시,فورا,الآن,يجب,hemen,derhal,natychmiast,musisz,onmiddellijk,moet$,segera,harus,तुरंत,अभी,ngay"),
    (Class::Destructive, "rm -rf,| sh$,| bash,|sh$,|bash,drop table,mkfs,:(){,dd if=,chmod 777,curl -d,curl -x post,nc -e,
        git push --force,format c:,del /f,powershell -,invoke-expression,eval(atob,os.system(,subprocess.,shutil.rmtree"),
    (Class::ToModel, "if you are an ai,if you're an ai,if you are a language model,if you are an llm,if you are an assistant,
        if you're a language model,if you are a chatbot,if an ai,if this is processed by,if this is read by an,note to ai,note to the ai,note to llm,
        note to the assistant,note for ai,note for the assistant,dear ai,dear assistant,dear language model,dear llm,dear chatbot,
        attention ai,attention assistant,attention llm,attention: ai,attention all ai,hey ai,hey assistant,hey chatgpt,hey claude,
        hello ai,hello assistant,instruction for ai,instructions for ai,instructions to ai,instructions for the ai,
        instructions for the assistant,instructions for llm,message to ai,message for ai,message to the ai,for ai agents,
        ai agents must,ai assistants must,ai agents reading,any ai reading,any llm reading,llms reading,ai reading this,model reading this,
        assistant reading this,agent reading this,ai model:,ai:,to the language model,to the ai reading,wenn du eine ki,
        hinweis an die ki,achtung ki,si eres una ia,nota para la ia,atención ia,si tu es une ia,si vous êtes une ia,
        note à l'ia,à l'attention de l'ia,se você é uma ia,nota para a ia,se sei un'ia,nota per l'ia,если ты ии,если вы ии,
        внимание ии,如果你是ai,如果你是人工智能,如果你是一个ai,如果你是語言模型,ai助手请,ai助手：,もしあなたがai,aiへの,aiアシスタントへ,당신이 ai라면,
        ai에게,إذا كنت ذكاء,إلى الذكاء,eğer bir yapay zeka,yapay zekaya,jeśli jesteś ai,als je een ai,jika kamu adalah ai,अगर आप एआई"),
    (Class::Model, "assistant,language model,llm$,llms$,chatbot,chatgpt,claude$,ai model,ai system,the ai$,an ai$,ai agent,agent$,the model,
        sprachmodell,assistent,ki-modell,asistente,modelo,ia$,l'ia,assistente,ассистент,помощник,ии$,нейросеть,助手,模型,人工智能,
        アシスタント,モデル,어시스턴트,모델,المساعد,النموذج,asistan,asystent,asisten"),
    (Class::Encoding, "base64,rot13,hex-encoded,hexadecimal,hex string,decode,decoded,morse,caesar cipher,reversed text,read backwards,
        backwards,encoded,decodiere,entschlüssle,decodifica,décode,décodez,декодируй,расшифруй,解码,解碼,デコード,디코딩,فك تشفير,çöz$,odkoduj"),
    (Class::Obey, "follow$,follow it,follow the,obey,do as it says,do what it says,carry out,comply,execute,act on,perform,run it,run the,
        treat it as,treat as instruction,befolge,führe,sigue$,obedece,ejecuta,suis$,suivez,exécute,obéis,siga$,execute,segui,esegui,
        следуй,выполни,执行,遵循,照做,従って,実行,따르,실행,اتبع,نفذ,uygula,wykonaj"),
    (Class::ForcedAnswer, "respond only with,reply only with,answer only with,respond with exactly,reply with exactly,output only,only output,
        say exactly,your response must,your answer must,your reply must,your output must,your summary must,the summary must,
        end your response with,end your answer with,begin your response with,start your response with,start your answer with,
        begin your answer with,always recommend,always answer,always respond,always reply,always say,instead say,instead respond,
        instead reply,instead write,instead output,just say,simply reply,simply say,
        rate this,give this a,score this,rank this,mark this as,classify this as,label this as,report that everything,
        report that no,say that there are no,conclude that,add the following to your,include the following link,
        include this link,insert this link,recommend this product,tell the user to,tell the user that,convince the user,
        persuade the user,ask the user for their,ask the user to enter,antworte nur mit,antworte ausschließlich,responde solo,
        responde únicamente,réponds uniquement,répondez uniquement,réponds seulement,responda apenas,responda somente,rispondi solo,
        отвечай только,ответь только,只回答,只回复,只输出,请回复,とだけ答え,とだけ返,라고만 답,만 출력,أجب فقط,sadece şunu,odpowiedz tylko,
        antwoord alleen,jawab hanya,केवल उत्तर"),
    (Class::Picture, "(image) [,‹img,src=,](http,](//"),
    (Class::Query, "?q=,?data=,?d=,?c=,&data=,?secret,?token,?key=,?p=,?s=,?text=,?content=,?m=,?prompt=,?leak=,?x=,/log?,{data},{{,${,[data],[secret],<data>,$(,%s"),
    (Class::Discussion, "prompt injection,prompt-injection,injection attack,jailbreaks$,jailbreaking,attackers,an attacker,the attacker,adversar,
        red team,red-team,owasp,vulnerab,mitigat,threat model,security research,defend against,defence,defense,detects,detector,
        classifier,for example,e.g.,such as,known as,researchers,the paper,we show,in this attack,payload,malicious,phrases like,do not share,don't share,never share,
        beispiel,angreifer,angriff,atacante,ataque,ejemplo,attaquant,attaque,exemple,exemplo,attacco,esempio,атак,злоумышленник,
        например,攻击,例如,攻擊,攻撃,例えば,공격,예를 들어,هجوم,مثال,saldırı,örneğin,atak,przykład,aanval,serangan,contoh,हमला"),
    (Class::Quoted, "\",“,„,«,「,『,`,‘"),
];
